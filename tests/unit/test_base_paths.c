/* Where programs are. Each test is a process of its own, so the paths are found anew. */
#include "core/base/paths.h"

#include "core/base/str.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(base_paths, a_build_tree_gives_its_own_programs)
{
	setenv("SLUICE_BUILD_DIR", "/b", 1);
	cr_assert_str_eq(path_of(PATH_CLI), "/b/core/cli/sluice");
	cr_assert_str_eq(path_of(PATH_DAEMON), "/b/core/daemon/sluiced");
	cr_assert_str_eq(path_of(PATH_POOL), "/b/core/pool/sluice-pool");
	cr_assert_str_eq(path_of(PATH_WORKER), "/b/core/worker/sluice-worker");
	cr_assert_str_eq(path_of(PATH_PLUGINS), "/b/plugins/.libs");
	cr_assert(!str_starts(path_of(PATH_SYSCONF), "/b/"));
	cr_assert(!str_starts(path_of(PATH_LOCALSTATE), "/b/"));
	LEAK_CHECK();
}

Test(base_paths, without_a_build_tree_they_are_the_installed_ones)
{
	unsetenv("SLUICE_BUILD_DIR");
	cr_assert(str_ends(path_of(PATH_CLI), "/bin/sluice"));
	cr_assert(str_ends(path_of(PATH_DAEMON), "/sbin/sluiced"));
	cr_assert(str_ends(path_of(PATH_POOL), "/sluice/sluice-pool"));
	cr_assert(str_ends(path_of(PATH_WORKER), "/sluice/sluice-worker"));
	cr_assert(str_ends(path_of(PATH_PLUGINS), "/sluice"));
	cr_assert(str_ends(path_of(PATH_SYSCONF), "/sluice"));
	LEAK_CHECK();
}

Test(base_paths, a_relative_or_endless_build_folder_is_ignored)
{
	setenv("SLUICE_BUILD_DIR", "relative", 1);
	cr_assert(path_of(PATH_POOL)[0] == '/');
	cr_assert(!str_starts(path_of(PATH_POOL), "/relative"));
	LEAK_CHECK();
}
