#include <millrace/gpu/operations.h>

#include <millrace/core/error.h>

namespace millrace::gpu {

std::string to_string(const Convolution& c) {
  constexpr const char* kPasses[] = {"forward", "backward data", "backward weights"};
  return concat("conv ", kPasses[static_cast<int>(c.pass)], " ", nn::to_string(c.precision), " ",
                c.batch, "x", c.height, "x", c.width, "x", c.channels, " -> ", c.out_height, "x",
                c.out_width, "x", c.filters, ", ", c.rows, "x", c.columns, "/",
                nn::to_string(c.stride),
                c.dilation == 1 ? "" : concat(", dilation ", nn::to_string(c.dilation)),
                c.groups == 1 ? "" : concat(", ", c.groups, " groups"), c.bias ? ", bias" : "",
                c.relu ? ", relu" : "");
}

const char* to_string(Epilogue epilogue) noexcept {
  switch (epilogue) {
    case Epilogue::none: return "none";
    case Epilogue::bias: return "bias";
    case Epilogue::relu_bias: return "relu_bias";
    case Epilogue::relu_aux_bias: return "relu_aux_bias";
    case Epilogue::drelu_bgrad: return "drelu_bgrad";
    case Epilogue::bgrad_b: return "bgrad_b";
    case Epilogue::bgrad_a: return "bgrad_a";
  }
  return "?";
}

std::string to_string(const Matmul& m) {
  return concat("matmul ", nn::to_string(m.precision), m.float_output ? " to fp32" : "", " ", m.m,
                "x", m.n, "x", m.k, m.transpose_a ? ", A^T" : "", m.transpose_b ? ", B^T" : "",
                m.epilogue == Epilogue::none ? "" : concat(", ", to_string(m.epilogue)));
}

}  // namespace millrace::gpu
