# millrace_library(<room> SOURCES ... [PUBLIC ...] [PRIVATE ...])
#
# One library a folder. Headers lie beside their sources and are included as
# <millrace/<room>/x.h> in the tree and out of it: the build makes the prefix with a symbolic link.
# Each room has an include directory of its own, so a header can be included only by rooms that
# link the library, and the arrows between the folders stay one way.
function(millrace_warnings target)
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion>"
    "$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${MILLRACE_WERROR}>>:-Werror>")
endfunction()

function(millrace_library room)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  set(target millrace_${room})
  set(prefix ${PROJECT_BINARY_DIR}/include/${room}/millrace)
  file(MAKE_DIRECTORY ${prefix})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${room} ${prefix}/${room} SYMBOLIC)

  set(kind)  # what BUILD_SHARED_LIBS says
  if(room IN_LIST MILLRACE_STATIC_ROOMS)
    set(kind STATIC)
  endif()
  add_library(${target} ${kind} ${ARG_SOURCES})
  add_library(millrace::${room} ALIAS ${target})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${room}
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    POSITION_INDEPENDENT_CODE ON
    CXX_EXTENSIONS OFF)
  target_compile_features(${target} PUBLIC cxx_std_20)
  # CMake 3.25 does not know that nvcc can do C++20: with CUDA_STANDARD 20 it would pass nothing.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include/${room}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PUBLIC ${ARG_PUBLIC})
  get_property(build_only GLOBAL PROPERTY MILLRACE_BUILD_ONLY)
  foreach(library IN LISTS ARG_PRIVATE)
    # An installed static library must not ask its users for what only its sources include.
    if(library IN_LIST build_only)
      set(library $<BUILD_INTERFACE:${library}>)
    endif()
    target_link_libraries(${target} PRIVATE ${library})
  endforeach()
  millrace_warnings(${target})
  set_property(GLOBAL APPEND PROPERTY MILLRACE_ROOMS ${room})
  set_property(GLOBAL PROPERTY MILLRACE_LINKS_${room} ${ARG_PUBLIC} ${ARG_PRIVATE})
endfunction()
