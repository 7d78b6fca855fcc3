# The lines that README.md shows are those that examples/stages builds and runs:
#   cmake -DREADME=README.md -DPROGRAM=main.cpp -P compare_readme.cmake
# Compared are the second block of C++ of README (the first is a program that tests/package/session
# builds as it stands) and the lines between the two marks [readme] of PROGRAM, both without their
# indentation.

# Sets `result` to the part of `text` between `begin` and the next `end`.
function(part_between result text begin end what)
  string(FIND "${text}" "${begin}" first)
  if(first EQUAL -1)
    message(FATAL_ERROR "${what} has no line '${begin}'")
  endif()
  string(LENGTH "${begin}" length)
  math(EXPR first "${first} + ${length}")
  string(SUBSTRING "${text}" ${first} -1 rest)
  string(FIND "${rest}" "${end}" last)
  if(last EQUAL -1)
    message(FATAL_ERROR "${what}: nothing ends the lines after '${begin}'")
  endif()
  string(SUBSTRING "${rest}" 0 ${last} part)
  string(REGEX REPLACE "\n +" "\n" part "\n${part}")
  string(STRIP "${part}" part)
  set(${result} "${part}" PARENT_SCOPE)
endfunction()

file(READ "${README}" readme)
file(READ "${PROGRAM}" program)
string(FIND "${readme}" "```cpp\n" first)
math(EXPR first "${first} + 7")
string(SUBSTRING "${readme}" ${first} -1 readme)
part_between(shown "${readme}" "```cpp\n" "```" "${README}")
part_between(built "${program}" "// [readme]\n" "// [readme]" "${PROGRAM}")
if(shown STREQUAL "")
  message(FATAL_ERROR "${README}: its second block of C++ is empty")
endif()
if(NOT shown STREQUAL built)
  message(FATAL_ERROR
    "The lines of ${README} are not those of ${PROGRAM}; make them the same.\n"
    "README:\n${shown}\n\nprogram:\n${built}")
endif()
