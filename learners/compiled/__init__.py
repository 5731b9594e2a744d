"""Learners in compiled code: kernels over arrays, beside the learners that own the arrays."""
