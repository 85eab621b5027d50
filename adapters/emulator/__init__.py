"""TastyTrade's wire, served on this machine over the simulated venue. Loopback only; its money is not real."""
