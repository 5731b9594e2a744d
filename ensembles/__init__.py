"""Learners made of learners: windows, votes, and the rolling ensemble."""
