# MILLRACE_CUDA=AUTO|ON|OFF: one line about what was found and what follows from it. The CUDA engine
# is a room to come; until then AUTO builds without it and ON is refused rather than ignored.
if(NOT MILLRACE_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "MILLRACE_CUDA=${MILLRACE_CUDA}: choose AUTO, ON or OFF")
endif()
if(MILLRACE_CUDA STREQUAL OFF)
  message(STATUS "Millrace: CUDA engine off (MILLRACE_CUDA=OFF)")
  return()
endif()

find_package(CUDAToolkit QUIET)
if(CUDAToolkit_FOUND)
  set(found "CUDA toolkit ${CUDAToolkit_VERSION} found")
else()
  set(found "no CUDA toolkit found")
endif()
if(MILLRACE_CUDA STREQUAL ON)
  message(FATAL_ERROR "MILLRACE_CUDA=ON (${found}): this version of Millrace has no CUDA engine yet; "
    "configure with MILLRACE_CUDA=AUTO or OFF")
endif()
message(STATUS "Millrace: ${found}; this version has no CUDA engine yet and trains on the CPU")
