# Macros of this project.

# SL_ADD_FLAGS(VARIABLE, FLAGS): appends to VARIABLE each flag that the compiler takes without a
# warning. The probe runs with -Werror so that "unknown option" warnings count.
AC_DEFUN([SL_ADD_FLAGS], [
  for sl_flag in $2; do
    AS_VAR_PUSHDEF([sl_cache], [sl_cv_flag_$sl_flag])
    AC_CACHE_CHECK([whether $CC takes $sl_flag], [sl_cache], [
      sl_saved_CFLAGS=$CFLAGS
      CFLAGS="$CFLAGS -Werror $sl_flag"
      AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([sl_cache], [yes])],
        [AS_VAR_SET([sl_cache], [no])])
      CFLAGS=$sl_saved_CFLAGS])
    AS_VAR_IF([sl_cache], [yes], [$1="$$1 $sl_flag"])
    AS_VAR_POPDEF([sl_cache])
  done
])

# SL_ADD_LDFLAGS(VARIABLE, FLAGS): the same for the linker.
AC_DEFUN([SL_ADD_LDFLAGS], [
  for sl_flag in $2; do
    AS_VAR_PUSHDEF([sl_cache], [sl_cv_ldflag_$sl_flag])
    AC_CACHE_CHECK([whether the linker takes $sl_flag], [sl_cache], [
      sl_saved_LDFLAGS=$LDFLAGS
      LDFLAGS="$LDFLAGS $sl_flag"
      AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([sl_cache], [yes])],
        [AS_VAR_SET([sl_cache], [no])])
      LDFLAGS=$sl_saved_LDFLAGS])
    AS_VAR_IF([sl_cache], [yes], [$1="$$1 $sl_flag"])
    AS_VAR_POPDEF([sl_cache])
  done
])

# SL_PACKAGE(PREFIX, MODULES, DEBIAN-PACKAGE): pkg-config module that must be there.
AC_DEFUN([SL_PACKAGE], [
  PKG_CHECK_MODULES([$1], [$2], [], [
    AC_MSG_ERROR([$2 not found: install $3, or run contrib/setup, which installs all that is needed])])
])
