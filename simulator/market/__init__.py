"""The market: contracts, requests, mechanisms, the auctioneer and its records of past rounds."""
