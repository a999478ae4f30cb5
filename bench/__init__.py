"""Measures what SSH costs fedssh on links of different length: ``make bench``."""
