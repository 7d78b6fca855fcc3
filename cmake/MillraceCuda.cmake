# MILLRACE_CUDA=AUTO|ON|OFF: whether the room gpu is built, and one line about what was found. Sets
# MILLRACE_HAS_CUDA. A program built with it starts and trains on a machine that has no GPU: the CUDA
# runtime is linked statically, cuDNN and cuBLAS are opened when they are needed, so that of these the
# build takes the headers alone.
#
# Looked for where NVIDIA's installers put them, then in the wheels of the python3 on PATH:
#   CUDA toolkit     or in MILLRACE_CUDA_ROOT    nvidia-cuda-nvcc, -cuda-runtime, -cublas
#   cuDNN            or in CUDNN_ROOT            nvidia-cudnn-cu13
#   cudnn-frontend   in MILLRACE_CUDNN_FRONTEND  fetched by scripts/fetch-cudnn-frontend
set(MILLRACE_HAS_CUDA OFF)
if(NOT MILLRACE_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "MILLRACE_CUDA=${MILLRACE_CUDA}: choose AUTO, ON or OFF")
endif()
if(MILLRACE_CUDA STREQUAL OFF)
  message(STATUS "Millrace: CUDA engine off (MILLRACE_CUDA=OFF)")
  return()
endif()

set(MILLRACE_CUDA_ROOT "$ENV{MILLRACE_CUDA_ROOT}" CACHE PATH "CUDA toolkit, where it is not found")
set(CUDNN_ROOT "$ENV{CUDNN_ROOT}" CACHE PATH "cuDNN, where it is not found")
set(frontend "$ENV{MILLRACE_CUDNN_FRONTEND}")
if(NOT frontend)
  set(frontend ${PROJECT_SOURCE_DIR}/build/third-party/cudnn-frontend-1.32.0/include)
endif()
set(MILLRACE_CUDNN_FRONTEND ${frontend} CACHE PATH "Folder of cudnn_frontend.h")

# The folder nvidia of the site-packages of the python3 on PATH; empty where there is none.
function(millrace_nvidia_wheels folder)
  set(${folder} "" PARENT_SCOPE)
  find_program(MILLRACE_PYTHON3 python3)
  mark_as_advanced(MILLRACE_PYTHON3)
  if(NOT MILLRACE_PYTHON3)
    return()
  endif()
  execute_process(COMMAND ${MILLRACE_PYTHON3} -c "import sysconfig; print(sysconfig.get_path('purelib'))"
    OUTPUT_VARIABLE packages OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(IS_DIRECTORY "${packages}/nvidia")
    set(${folder} ${packages}/nvidia PARENT_SCOPE)
  endif()
endfunction()

# Wheels have libcudart.so.13 without the name that FindCUDAToolkit looks for.
macro(millrace_find_toolkit root)
  if(NOT "${root}" STREQUAL "")
    set(CUDAToolkit_ROOT ${root})
    file(GLOB cudart ${root}/lib/libcudart.so.*)
    if(cudart AND NOT EXISTS ${root}/lib/libcudart.so AND NOT EXISTS ${root}/lib64/libcudart.so)
      list(GET cudart 0 cudart)
      set(CUDA_CUDART ${cudart} CACHE FILEPATH "CUDA runtime" FORCE)
    endif()
  endif()
  find_package(CUDAToolkit QUIET)
endmacro()

set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)  # as in millrace_dependency()
millrace_nvidia_wheels(wheels)
millrace_find_toolkit("${MILLRACE_CUDA_ROOT}")
if(NOT CUDAToolkit_FOUND AND NOT MILLRACE_CUDA_ROOT)
  file(GLOB nvcc ${wheels}/cu*/bin/nvcc)
  foreach(file IN LISTS nvcc)
    cmake_path(GET file PARENT_PATH root)
    cmake_path(GET root PARENT_PATH root)
    millrace_find_toolkit(${root})
  endforeach()
endif()
unset(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL)
find_path(CUDNN_INCLUDE_DIR cudnn.h
  HINTS ${CUDNN_ROOT} ${CUDNN_ROOT}/include ${CUDAToolkit_INCLUDE_DIRS} ${wheels}/cudnn/include)
mark_as_advanced(CUDNN_INCLUDE_DIR)

set(missing "")
if(NOT CUDAToolkit_FOUND)
  list(APPEND missing "CUDA toolkit")
elseif(NOT EXISTS "${CUDAToolkit_NVCC_EXECUTABLE}")
  list(APPEND missing "nvcc in the CUDA toolkit")
endif()
if(NOT CUDNN_INCLUDE_DIR)
  list(APPEND missing "cuDNN (cudnn.h)")
endif()
if(NOT missing AND NOT EXISTS ${MILLRACE_CUDNN_FRONTEND}/cudnn_frontend.h)
  list(APPEND missing "cudnn-frontend, which scripts/fetch-cudnn-frontend fetches")
endif()
if(missing)
  list(JOIN missing " and no " missing)
  if(MILLRACE_CUDA STREQUAL ON)
    message(FATAL_ERROR "MILLRACE_CUDA=ON, but there is no ${missing}")
  endif()
  message(STATUS "Millrace: no ${missing}; training on the CPU only")
  return()
endif()

# 90 is Hopper; the preset release-gpu has all that a release is built for.
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 90 CACHE STRING "GPU architectures to compile for")
endif()
if(NOT CMAKE_CUDA_COMPILER)
  set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
endif()
enable_language(CUDA)
# cudart_static brings pthread, dl and rt along.
millrace_dependency(CUDAToolkit TARGET CUDA::cudart_static DEBIAN nvidia-cuda-toolkit
  PKG_CONFIG -L${CUDAToolkit_LIBRARY_DIR} -lcudart_static -lrt -ldl -pthread)
set(MILLRACE_HAS_CUDA ON)
message(STATUS "Millrace: CUDA ${CUDAToolkit_VERSION} for architectures ${CMAKE_CUDA_ARCHITECTURES}")
