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
contrib/systemd/sluiced.service: contrib/systemd/sluiced.service.in
	$(AM_V_GEN)$(UNIT_EDIT)
contrib/systemd/sluiced.socket: contrib/systemd/sluiced.socket.in
	$(AM_V_GEN)$(UNIT_EDIT)
contrib/systemd/sluice-pool.socket: contrib/systemd/sluice-pool.socket.in
	$(AM_V_GEN)$(UNIT_EDIT)
contrib/systemd/sluice-pool@.service: contrib/systemd/sluice-pool@.service.in
	$(AM_V_GEN)$(UNIT_EDIT)
UNIT_EDIT = mkdir -p contrib/systemd && $(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@libexecdir[@]|$(libexecdir)|g' \
	-e 's|@sysconfdir[@]|$(sysconfdir)|g' -e 's|/var/lib|$(localstatedir)/lib|g' \
	'$(srcdir)/$@.in' >'$@'
