"""What `late-fusion` is made of: front-ends (`features`), the network (`network`), weights and their card."""
