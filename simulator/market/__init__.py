"""The market: contracts, requests, mechanisms, the auctioneer and what it remembers."""
