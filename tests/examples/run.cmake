# Runs the program of an example in its build folder, unless the example was left out there:
#   cmake -DFOLDER=build/examples/dlpack -P run.cmake
if(EXISTS ${FOLDER}/left-out.txt)
  file(READ ${FOLDER}/left-out.txt why)
  message("skipped: ${why}")
  return()
endif()
get_filename_component(name ${FOLDER} NAME)
execute_process(COMMAND ${FOLDER}/${name} WORKING_DIRECTORY ${FOLDER} RESULT_VARIABLE status)
if(NOT status STREQUAL "0")
  message(FATAL_ERROR "${name} ended with ${status}")
endif()
