"""What became of the decisions: late, early, twice, contradicting?"""
