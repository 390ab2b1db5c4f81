"""Has what comes in moved, and what does it cost?"""
