/* Linked before core/base's own: programs of the same sources and another release, for upgrade.sh.
 */
#include "core/base/release.h"

const char *release_name(void)
{
	return PACKAGE_VERSION "-next";
}
