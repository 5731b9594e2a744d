"""What learns: estimators behind one contract, and their state by value."""
