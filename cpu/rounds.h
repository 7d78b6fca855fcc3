#pragma once
// Steps that follow each other, computed over a few samples at a time. What a convolution makes for
// the pooling behind it, and the pooling's backward pass for the convolution's, is then read while
// a core's cache holds it, and takes memory for these samples alone.

#include <millrace/cpu/program.h>

namespace millrace::cpu {

/// Puts steps into rounds where what lies between them is large and nobody else uses it. Steps that
/// can be cut have Step::for_rows. Throws Error where oneDNN fails.
void compute_in_rounds(Lowered& lowered);

}  // namespace millrace::cpu
