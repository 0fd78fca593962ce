# Fuzz targets, one per parser of foreign bytes; built with --enable-fuzzing (if ENABLE_FUZZING).
