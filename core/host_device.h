#pragma once
// Marks functions that nvcc also compiles for the device; for other compilers it is empty. Such
// functions are tested on the CPU and run on the GPU from one source.

#ifdef __CUDACC__
#define MILLRACE_HOST_DEVICE __host__ __device__
#else
#define MILLRACE_HOST_DEVICE
#endif
