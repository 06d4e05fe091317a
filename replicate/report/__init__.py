"""Shows finished tables: terminal, Markdown, CSV, JSON. The same cells everywhere."""
