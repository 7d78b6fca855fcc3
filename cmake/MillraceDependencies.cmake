# Third-party libraries, from the distribution's packages.
#
# millrace_dependency(<package> TARGET <target> DEBIAN <package> [FIND <find_package arguments>]
#                     [PKG_CONFIG <modules and flags>] [BUILD_ONLY])
#
# Finds a library, or remembers that it is missing and which Debian package brings it. What is said
# here also writes the installed package: MillraceInstall.cmake looks up, for every target that a room
# links, how a user's project finds it again. BUILD_ONLY marks what such a project need not have.
function(millrace_dependency package)
  cmake_parse_arguments(ARG "BUILD_ONLY" "TARGET;DEBIAN" "FIND;PKG_CONFIG" ${ARGN})
  # Global targets: a project that takes us in by add_subdirectory() links through our libraries.
  set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
  find_package(${package} ${ARG_FIND} QUIET)
  if(NOT TARGET ${ARG_TARGET})
    set(wanted ${package} ${ARG_FIND})
    list(REMOVE_ITEM wanted CONFIG COMPONENTS)
    list(JOIN wanted " " wanted)
    set_property(GLOBAL APPEND_STRING PROPERTY MILLRACE_MISSING
      "\n  missing ${wanted}: apt-get install ${ARG_DEBIAN}, or run scripts/setup")
  endif()
  if(ARG_BUILD_ONLY)
    set_property(GLOBAL APPEND PROPERTY MILLRACE_BUILD_ONLY ${ARG_TARGET})
  else()
    list(JOIN ARG_FIND " " arguments)
    set_property(GLOBAL PROPERTY MILLRACE_FIND_${ARG_TARGET} "${package} ${arguments}")
    set_property(GLOBAL PROPERTY MILLRACE_PKG_CONFIG_${ARG_TARGET} "${ARG_PKG_CONFIG}")
  endif()
endfunction()

# Ends the configuration when something is missing, with a line for each library.
function(millrace_check_dependencies)
  get_property(missing GLOBAL PROPERTY MILLRACE_MISSING)
  if(missing)
    message(FATAL_ERROR "Millrace needs libraries that are not installed:${missing}\n")
  endif()
endfunction()

set(THREADS_PREFER_PTHREAD_FLAG ON)
millrace_dependency(Threads TARGET Threads::Threads DEBIAN g++ PKG_CONFIG -pthread)
millrace_dependency(TBB FIND 2021.5 CONFIG TARGET TBB::tbb DEBIAN libtbb-dev PKG_CONFIG tbb)
millrace_dependency(oneDNN FIND 2.6 TARGET DNNL::dnnl DEBIAN libdnnl-dev PKG_CONFIG -ldnnl)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  set(openmp_package libomp-dev)
else()
  set(openmp_package g++)
endif()
millrace_dependency(OpenMP FIND COMPONENTS CXX TARGET OpenMP::OpenMP_CXX DEBIAN ${openmp_package}
  PKG_CONFIG -fopenmp)
millrace_dependency(JPEG TARGET JPEG::JPEG DEBIAN libjpeg62-turbo-dev PKG_CONFIG libjpeg)
millrace_dependency(GIF FIND 5.2.1 TARGET GIF::GIF DEBIAN libgif-dev PKG_CONFIG -lgif)
millrace_dependency(TIFF FIND 4.5 TARGET TIFF::TIFF DEBIAN libtiff-dev PKG_CONFIG libtiff-4)
millrace_dependency(WebP TARGET WebP::webpdemux DEBIAN libwebp-dev PKG_CONFIG libwebpdemux)
millrace_dependency(ZLIB TARGET ZLIB::ZLIB DEBIAN zlib1g-dev PKG_CONFIG zlib)
millrace_dependency(libdeflate TARGET libdeflate::libdeflate DEBIAN libdeflate-dev
  PKG_CONFIG -ldeflate)
millrace_dependency(LibArchive FIND 3.6 TARGET LibArchive::LibArchive DEBIAN libarchive-dev
  PKG_CONFIG libarchive)
millrace_dependency(LAPACKE TARGET LAPACKE::LAPACKE DEBIAN "liblapacke-dev libopenblas-dev"
  PKG_CONFIG lapacke openblas)
millrace_dependency(HDF5C TARGET HDF5::C DEBIAN libhdf5-dev PKG_CONFIG hdf5)
millrace_dependency(Protobuf TARGET protobuf::libprotobuf-lite
  DEBIAN libprotobuf-dev PKG_CONFIG protobuf-lite)
millrace_dependency(Protobuf TARGET protobuf::protoc DEBIAN protobuf-compiler BUILD_ONLY)
millrace_dependency(hwy FIND 1.0 CONFIG TARGET hwy::hwy DEBIAN libhwy-dev PKG_CONFIG libhwy)
millrace_dependency(stb TARGET stb::stb DEBIAN libstb-dev BUILD_ONLY)
millrace_dependency(nlohmann_json FIND 3.10 CONFIG TARGET nlohmann_json::nlohmann_json
  DEBIAN nlohmann-json3-dev BUILD_ONLY)
if(MILLRACE_APPS OR MILLRACE_FUZZ)
  millrace_dependency(Boost FIND 1.74 CONFIG COMPONENTS program_options
    TARGET Boost::program_options DEBIAN libboost-program-options-dev BUILD_ONLY)
endif()
if(MILLRACE_TESTS)
  millrace_dependency(Catch2 FIND CONFIG TARGET Catch2::Catch2 DEBIAN catch2 BUILD_ONLY)
endif()
millrace_check_dependencies()
