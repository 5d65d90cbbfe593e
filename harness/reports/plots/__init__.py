"""Plots of the page: what plotly.js is to draw, the same figures as a table, and words on what is to be seen."""
