"""Tables, claims, figures and the page: results in the terminal, as Markdown, LaTeX, CSV, JSON and HTML."""
