"""Every number a person may change, the one loader that reads them, and the errors everyone raises."""
