"""The committed recipes by which shipped models were made."""
