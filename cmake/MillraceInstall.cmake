# cmake --install: libraries, headers, program, recipes, the package that find_package(millrace
# COMPONENTS ...) reads, and a millrace-<room>.pc a room for pkg-config. All of it is relocatable.
include(CMakePackageConfigHelpers)

set(millrace_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/millrace)
set(millrace_generated_dir ${PROJECT_BINARY_DIR}/package)
get_property(millrace_rooms GLOBAL PROPERTY MILLRACE_ROOMS)

# What a room needs, from what it links: `rooms` are other rooms, `packages` arguments of
# find_package, `modules` and `flags` the same for pkg-config.
function(millrace_room_needs room)
  get_property(links GLOBAL PROPERTY MILLRACE_LINKS_${room})
  set(rooms "")
  set(packages "")
  set(modules "")
  set(flags "")
  get_property(build_only GLOBAL PROPERTY MILLRACE_BUILD_ONLY)
  foreach(target IN LISTS links)
    if(target MATCHES "^millrace::(.+)$")
      list(APPEND rooms ${CMAKE_MATCH_1})
      list(APPEND modules millrace-${CMAKE_MATCH_1})
      continue()
    endif()
    if(target IN_LIST build_only OR target MATCHES "^\\$<BUILD_INTERFACE:")
      continue()
    endif()
    get_property(find GLOBAL PROPERTY MILLRACE_FIND_${target})
    if(NOT find)
      message(FATAL_ERROR "${room} links ${target}: declare it with millrace_dependency() in "
        "cmake/MillraceDependencies.cmake, so that an installed Millrace can find it again")
    endif()
    list(APPEND packages ${find})
    get_property(pkg_config GLOBAL PROPERTY MILLRACE_PKG_CONFIG_${target})
    foreach(word IN LISTS pkg_config)
      if(word MATCHES "^-")
        list(APPEND flags ${word})
      else()
        list(APPEND modules ${word})
      endif()
    endforeach()
  endforeach()
  set(rooms ${rooms} PARENT_SCOPE)
  set(packages ${packages} PARENT_SCOPE)
  list(JOIN modules " " modules)
  set(modules ${modules} PARENT_SCOPE)
  set(cflags ${flags})
  list(FILTER cflags EXCLUDE REGEX "^-[lL]")
  list(JOIN cflags " " cflags)
  set(cflags ${cflags} PARENT_SCOPE)
  list(JOIN flags " " flags)
  set(flags ${flags} PARENT_SCOPE)
endfunction()

file(RELATIVE_PATH relative_prefix
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
set(millrace_needs "")
foreach(room IN LISTS millrace_rooms)
  millrace_room_needs(${room})
  string(APPEND millrace_needs "set(millrace_${room}_rooms_ \"${rooms}\")\n"
    "set(millrace_${room}_packages_ \"${packages}\")\n")

  install(TARGETS millrace_${room} EXPORT millrace-${room}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT millrace-${room}
    NAMESPACE millrace::
    FILE millrace-${room}-targets.cmake
    DESTINATION ${millrace_package_dir})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${room}/
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/millrace/${room}
    FILES_MATCHING PATTERN "*.h"
    PATTERN fake EXCLUDE)  # for tests
  configure_file(cmake/millrace.pc.in ${millrace_generated_dir}/millrace-${room}.pc @ONLY)
  install(FILES ${millrace_generated_dir}/millrace-${room}.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

configure_package_config_file(cmake/millraceConfig.cmake.in
  ${millrace_generated_dir}/millraceConfig.cmake
  INSTALL_DESTINATION ${millrace_package_dir})
write_basic_package_version_file(${millrace_generated_dir}/millraceConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${millrace_generated_dir}/millraceConfig.cmake
  ${millrace_generated_dir}/millraceConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindHDF5C.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindLAPACKE.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindWebP.cmake
  ${PROJECT_SOURCE_DIR}/cmake/Findlibdeflate.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindoneDNN.cmake
  DESTINATION ${millrace_package_dir})

if(TARGET millrace_app)
  install(TARGETS millrace_app RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(EXISTS ${PROJECT_SOURCE_DIR}/apps/recipes)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/apps/recipes/
    DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace/recipes
    FILES_MATCHING PATTERN "*.ini")
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
