"""What is asked of the tables again and again, to see that they are as they should be.

Hand-written SQL with bound values lies beside the functions that ask it.
"""
