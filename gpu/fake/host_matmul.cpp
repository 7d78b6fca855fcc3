#include <millrace/gpu/fake/host_work.h>

#include <millrace/core/error.h>

#include <cstddef>
#include <cstdint>

namespace millrace::gpu::recording {
namespace {

Rows stored_a(const Matmul& m) {
  return m.transpose_a ? Rows{m.k, m.m, m.lda} : Rows{m.m, m.k, m.lda};
}
Rows stored_b(const Matmul& m) {
  return m.transpose_b ? Rows{m.n, m.k, m.ldb} : Rows{m.k, m.n, m.ldb};
}
Rows stored_d(const Matmul& m) {
  return {m.m, m.n, m.ldd};
}

DType output_type(const Matmul& m) {
  return m.float_output ? DType::f32 : nn::storage_of(m.precision);
}
bool reads_bias(const Matmul& m) {
  return m.epilogue == Epilogue::bias || m.epilogue == Epilogue::relu_bias ||
         m.epilogue == Epilogue::relu_aux_bias;
}
bool writes_bias(const Matmul& m) {
  return m.epilogue == Epilogue::drelu_bgrad || m.epilogue == Epilogue::bgrad_a ||
         m.epilogue == Epilogue::bgrad_b;
}
std::int64_t bias_elements(const Matmul& m) {
  return m.epilogue == Epilogue::bgrad_a ? m.m : m.n;
}

/// A bit an element, rows of ld_aux bits.
struct AuxBits {
  std::uint8_t* bytes;
  std::int64_t stride;  // bytes of a row
  [[nodiscard]] bool get(std::int64_t row, std::int64_t column) const {
    return ((bytes[row * stride + column / 8] >> (column % 8)) & 1) != 0;
  }
  void set(std::int64_t row, std::int64_t column) const {
    std::uint8_t& byte = bytes[row * stride + column / 8];
    byte = static_cast<std::uint8_t>(byte | (1U << (column % 8)));
  }
};

void add_bias(const Matmul& m, const MatmulMemory& memory, std::vector<float>& product) {
  const DType type = nn::storage_of(m.precision);
  const AuxBits aux{static_cast<std::uint8_t*>(memory.aux), m.ld_aux / 8};
  if (m.epilogue == Epilogue::relu_aux_bias) std::fill_n(aux.bytes, m.m * aux.stride, 0);
  auto value = product.begin();
  for (std::int64_t row = 0; row < m.m; ++row) {
    for (std::int64_t column = 0; column < m.n; ++column, ++value) {
      *value += read_value(type, memory.bias, column);
      if (m.epilogue == Epilogue::bias) continue;
      if (m.epilogue == Epilogue::relu_aux_bias && *value > 0) aux.set(row, column);
      if (*value < 0) *value = 0;
    }
  }
}

void mask(const Matmul& m, const MatmulMemory& memory, std::vector<float>& product) {
  const AuxBits aux{static_cast<std::uint8_t*>(memory.aux), m.ld_aux / 8};
  auto value = product.begin();
  for (std::int64_t row = 0; row < m.m; ++row) {
    for (std::int64_t column = 0; column < m.n; ++column, ++value) {
      if (!aux.get(row, column)) *value = 0;
    }
  }
}

/// Of [rows][columns].
void write_column_sums(nn::Precision precision, const std::vector<float>& values,
                       std::int64_t columns, void* bias) {
  std::vector<double> sums(static_cast<std::size_t>(columns));
  for (std::size_t i = 0; i < values.size(); ++i) {
    sums[i % sums.size()] += static_cast<double>(values[i]);
  }
  const std::vector<float> rounded(sums.begin(), sums.end());
  write_rows(nn::storage_of(precision), rounded.data(), bias, {1, columns, columns});
}

}  // namespace

void validate(const Matmul& m) {
  const bool fits = m.m > 0 && m.n > 0 && m.k > 0 && m.lda >= stored_a(m).columns &&
                    m.ldb >= stored_b(m).columns && m.ldd >= m.n;
  if (!fits) throw Error(concat("cublas: ", to_string(m), ": the sizes do not fit together"));
  if (has_aux(m.epilogue) && (m.ld_aux < m.n || m.ld_aux % 128 != 0)) {
    throw Error(concat("cublas: ", to_string(m), ": rows of aux have ", m.ld_aux,
                       " bits; a multiple of 128 that is at least n is wanted"));
  }
}

std::vector<Access> accesses_of(const Matmul& m, const MatmulMemory& memory) {
  const std::size_t element = size_of(nn::storage_of(m.precision));
  const auto bytes = [](std::int64_t elements, std::size_t size) {
    return static_cast<std::size_t>(elements) * size;
  };
  std::vector<Access> accesses{
      {memory.a, bytes(stored_a(m).elements(), element), false},
      {memory.b, bytes(stored_b(m).elements(), element), false},
      {memory.d, bytes(stored_d(m).elements(), size_of(output_type(m))), true}};
  if (reads_bias(m) || writes_bias(m)) {
    accesses.push_back({memory.bias, bytes(bias_elements(m), element), writes_bias(m)});
  }
  if (has_aux(m.epilogue)) {
    accesses.push_back(
        {memory.aux, bytes(m.m * m.ld_aux, 1) / 8, m.epilogue == Epilogue::relu_aux_bias});
  }
  return accesses;
}

void run_on_host(const Matmul& m, const MatmulMemory& memory) {
  auto a = read_operand(m.precision, memory.a, stored_a(m));
  if (m.transpose_a) a = transposed(a, m.k, m.m);
  auto b = read_operand(m.precision, memory.b, stored_b(m));
  if (m.transpose_b) b = transposed(b, m.n, m.k);
  std::vector<float> product(static_cast<std::size_t>(m.m * m.n));
  multiply_add(m.m, m.n, m.k, a.data(), b.data(), product.data());
  if (reads_bias(m)) add_bias(m, memory, product);
  if (m.epilogue == Epilogue::drelu_bgrad) {
    mask(m, memory, product);
    write_column_sums(m.precision, product, m.n, memory.bias);
  }
  if (m.epilogue == Epilogue::bgrad_b) write_column_sums(m.precision, b, m.n, memory.bias);
  if (m.epilogue == Epilogue::bgrad_a) {
    write_column_sums(m.precision, transposed(a, m.m, m.k), m.m, memory.bias);
  }
  write_rows(output_type(m), product.data(), memory.d, stored_d(m));
}

}  // namespace millrace::gpu::recording
