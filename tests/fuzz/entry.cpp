// What libFuzzer calls, in a program for each harness.

#include "fuzz/harnesses.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  millrace::test::MILLRACE_HARNESS(std::as_bytes(std::span(data, size)));
  return 0;
}
