"""The nouns of data: a `Record` and a `Question`. Every source yields them; everything after reads them."""
