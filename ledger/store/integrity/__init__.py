"""The proof that nothing was altered: a Merkle tree over the leaves, checkpoints kept outside, and whoever checks them.

tree → tiles (how it is kept) → checkpoint in a note (how it is signed) → cosignature (how others vouch for it);
checking → verifying (the log or an export against a checkpoint), sealer (checks, then signs), guard (triggers and grants).
"""
