# An image without a label and a label without its image are errors of examples/tar_shards, and other
# members are passed by:
#   cmake -DPROGRAM=build/examples/tar_shards/tar_shards -DFOLDER=SCRATCH -P lost_images.cmake
get_filename_component(built ${PROGRAM} DIRECTORY)
if(EXISTS ${built}/left-out.txt)
  file(READ ${built}/left-out.txt why)
  message("skipped: ${why}")
  return()
endif()
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER}/part)
foreach(name 1 2 3)
  file(WRITE ${FOLDER}/${name}.pgm "P5 1 1 255\nA")
  file(WRITE ${FOLDER}/${name}.cls "${name}\n")
  file(WRITE ${FOLDER}/${name}.json "{}")
endforeach()
file(WRITE ${FOLDER}/3.cls "10\n")

# Packs the members and trains on them; 0 or 1 is what the program ends with, `told` what it says.
function(check status told)
  execute_process(COMMAND ${CMAKE_COMMAND} -E tar cf made.tar --format=gnutar ${ARGN}
    WORKING_DIRECTORY ${FOLDER} COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${PROGRAM} made.tar made.tar WORKING_DIRECTORY ${FOLDER}
    RESULT_VARIABLE ended OUTPUT_VARIABLE text ERROR_VARIABLE text)
  string(FIND "${text}" "${told}" place)
  if(NOT ended EQUAL status OR place EQUAL -1)
    message(FATAL_ERROR "${ARGN}: ended with ${ended}, expected ${status} and '${told}':\n${text}")
  endif()
endfunction()

check(0 "epoch 3" 1.pgm 1.cls part 2.pgm 2.json 2.cls)
check(1 "made.tar:1.pgm: no .cls comes after it" 1.pgm 2.pgm 2.cls)
check(1 "made.tar:2.pgm: no .cls comes after it" 1.pgm 1.cls 2.pgm)
check(1 "made.tar:2.cls: not after its image" 1.pgm 1.cls 2.cls)
check(1 "made.tar:2.cls: not after its image" 1.pgm 2.cls)
check(0 "made.tar:3.pgm: label: 10 is none of the 10 classes" 1.pgm 1.cls 3.pgm 3.cls)
