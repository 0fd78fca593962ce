# Helpers for people and for the tests; shipped.
EXTRA_DIST += contrib/setup contrib/check .ci/run
EXTRA_DIST += contrib/layers.txt \
	contrib/lint/run contrib/lint/selftest contrib/lint/format contrib/lint/layers \
	contrib/lint/headers contrib/lint/sizes contrib/lint/banned contrib/lint/shell contrib/lint/man
EXTRA_DIST += contrib/quickstart contrib/fresh
# ---- units of systemd, with the folders that configure was given ----
systemdunitdir = $(prefix)/lib/systemd/system
nodist_systemdunit_DATA = contrib/systemd/sluiced.service contrib/systemd/sluiced.socket \
	contrib/systemd/sluice-pool.socket contrib/systemd/sluice-pool@.service
EXTRA_DIST += contrib/systemd/sluiced.service.in contrib/systemd/sluiced.socket.in \
	contrib/systemd/sluice-pool.socket.in contrib/systemd/sluice-pool@.service.in
CLEANFILES += $(nodist_systemdunit_DATA)
contrib/systemd/sluiced.service: contrib/systemd/sluiced.service.in Makefile
	$(AM_V_GEN)$(UNIT_EDIT)
contrib/systemd/sluiced.socket: contrib/systemd/sluiced.socket.in Makefile
	$(AM_V_GEN)$(UNIT_EDIT)
contrib/systemd/sluice-pool.socket: contrib/systemd/sluice-pool.socket.in Makefile
	$(AM_V_GEN)$(UNIT_EDIT)
contrib/systemd/sluice-pool@.service: contrib/systemd/sluice-pool@.service.in Makefile
	$(AM_V_GEN)$(UNIT_EDIT)
UNIT_EDIT = mkdir -p contrib/systemd && $(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@libexecdir[@]|$(libexecdir)|g' \
	-e 's|@sysconfdir[@]|$(sysconfdir)|g' -e 's|/var/lib|$(localstatedir)/lib|g' \
	'$(srcdir)/$@.in' >'$@'
# ---- completions, by the command itself ----
bashcompdir = $(datarootdir)/bash-completion/completions
zshcompdir = $(datarootdir)/zsh/site-functions
fishcompdir = $(datarootdir)/fish/vendor_completions.d
nodist_bashcomp_DATA = contrib/completions/sluice
nodist_zshcomp_DATA = contrib/completions/_sluice
nodist_fishcomp_DATA = contrib/completions/sluice.fish
CLEANFILES += $(nodist_bashcomp_DATA) $(nodist_zshcomp_DATA) $(nodist_fishcomp_DATA)
contrib/completions/sluice: core/cli/sluice
	$(AM_V_GEN)mkdir -p contrib/completions && core/cli/sluice completion bash >'$@'
contrib/completions/_sluice: core/cli/sluice
	$(AM_V_GEN)mkdir -p contrib/completions && core/cli/sluice completion zsh >'$@'
contrib/completions/sluice.fish: core/cli/sluice
	$(AM_V_GEN)mkdir -p contrib/completions && core/cli/sluice completion fish >'$@'
# ---- the Debian package ----
EXTRA_DIST += contrib/deb contrib/debian/control.in contrib/debian/sluice.yaml contrib/debian/postinst contrib/debian/prerm \
	contrib/debian/postrm
deb:
	$(BASH_PROG) $(srcdir)/contrib/deb
deb-check:
	$(BASH_PROG) $(srcdir)/contrib/deb --test
.PHONY: deb deb-check
