"""What came of it: actual against estimate, realised against promised, and the cost of the NOs."""
