# Manual pages, mdoc, shipped and installed: dist_man_MANS += man/sluice.1
dist_man_MANS += man/sluice.1
