"""When does a new model pay, and what follows once there is one?"""
