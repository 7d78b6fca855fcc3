#pragma once
// Marks functions that nvcc compiles for the device too; for other compilers it says nothing. What
// is marked is tested on the CPU and runs on the GPU from one source.

#ifdef __CUDACC__
#define MILLRACE_HOST_DEVICE __host__ __device__
#else
#define MILLRACE_HOST_DEVICE
#endif
