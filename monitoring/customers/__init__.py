"""The customers a lender has: grades and limits that move, early warning, collections, figures, credit files."""
