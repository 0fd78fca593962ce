# Manual pages, mdoc, shipped and installed: dist_man_MANS += man/sluice.1 man/sluiced.8
dist_man_MANS += man/sluice.1 man/sluiced.8
dist_man_MANS += man/sluice-api.7 man/sluice-dag.5 man/sluice.yaml.5 man/sluice-plugin.7
