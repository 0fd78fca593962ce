/* leak.h: Criterion's workers skip the leak check at exit, so each test body ends with
 * LEAK_CHECK(). Under AddressSanitizer it fails the test if memory is lost; without it, it does
 * nothing. */
#ifndef TESTS_UNIT_LEAK_H
#define TESTS_UNIT_LEAK_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAK_HAVE_LSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(LEAK_HAVE_LSAN)
#define LEAK_HAVE_LSAN 1
#endif

#ifdef LEAK_HAVE_LSAN
#include <sanitizer/lsan_interface.h>
#define LEAK_CHECK() cr_assert(!__lsan_do_recoverable_leak_check(), "memory was lost")
#else
#define LEAK_CHECK() ((void)0)
#endif

#endif
