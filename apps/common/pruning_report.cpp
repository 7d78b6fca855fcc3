#include "apps/common/pruning_report.h"

#include "apps/common/table.h"

#include <millrace/core/error.h>
#include <millrace/core/json_text.h>
#include <millrace/core/number_text.h>
#include <millrace/io/files.h>
#include <millrace/io/gzip.h>
#include <millrace/training/saved_model.h>

#include <algorithm>
#include <ostream>
#include <sstream>
#include <string_view>

namespace millrace::apps {
namespace {

constexpr int kSparsityDigits = 4;

double as_double(Bytes bytes) {
  return static_cast<double>(bytes.count);
}

std::string json_of(const ModelSize& size) {
  return concat("{\"bytes\": ", size.plain.count, ", \"gzip_bytes\": ", size.gzipped.count, '}');
}

}  // namespace

ModelSize model_size(const std::filesystem::path& model_file) {
  return {Bytes{RandomAccessFile(model_file).size()}, gzip_size(model_file)};
}

ModelSize model_size(const nn::Model& model, std::span<const float> parameters,
                     const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / ".size-of-dense.safetensors";
  struct Remove {
    const std::filesystem::path& path;
    ~Remove() {
      std::error_code ignored;
      std::filesystem::remove(path, ignored);
    }
  } const remove{file};
  save_model(file, model, parameters);
  return model_size(file);
}

PruneSummary as_saved(PruneSummary summary, const std::filesystem::path& model_file) {
  const SavedModel saved = load_model(model_file);
  for (const nn::Parameter& parameter : nn::parameters(saved.model)) {
    for (PrunedTensor& tensor : summary.tensors) {
      if (tensor.name != parameter.name) continue;
      const auto begin = saved.parameters.begin() + parameter.offset;
      tensor.pruned = std::count(begin, begin + parameter.shape.elements(), 0.0F);
    }
  }
  return summary;
}

void print_pruned(std::ostream& out, const PruneSummary& summary) {
  Table table;
  table.add({"tensor", "weights", "zeros", "sparsity", "threshold"});
  for (const PrunedTensor& tensor : summary.tensors) {
    std::ostringstream threshold;
    threshold << tensor.threshold;
    table.add({tensor.name, with_commas(static_cast<std::uint64_t>(tensor.elements)),
               with_commas(static_cast<std::uint64_t>(tensor.pruned)),
               fixed(tensor.sparsity(), kSparsityDigits), threshold.str()});
  }
  out << table;
}

std::string size_line(const ModelSize& dense, const ModelSize& pruned) {
  return concat("dense ", with_commas(dense.plain.count), " bytes (",
                with_commas(dense.gzipped.count), " gzipped), pruned ",
                with_commas(pruned.plain.count), " (", with_commas(pruned.gzipped.count),
                "): gzipped ", fixed(as_double(dense.gzipped) / as_double(pruned.gzipped), 2),
                " times smaller");
}

std::string pruning_line(const EpochRecord& record) {
  constexpr std::string_view kSparsity = "/sparsity";
  std::ostringstream text;
  for (const auto& [name, sparsity] : record.extra) {
    if (!std::string_view(name).ends_with(kSparsity)) continue;
    const std::string tensor = name.substr(0, name.size() - kSparsity.size());
    text << (text.tellp() > 0 ? ", " : "") << tensor << ' ' << fixed(sparsity, kSparsityDigits);
    if (const auto threshold = record.value(tensor + "/threshold")) {
      text << " below " << fixed(*threshold, kSparsityDigits);
    }
  }
  return text.str();
}

std::string to_json(const ModelSize& dense, const ModelSize& pruned, const PruneSummary& summary) {
  std::ostringstream out;
  out << "{\"sparsity\": " << json_number(summary.sparsity()) << ", \"dense\": " << json_of(dense)
      << ", \"pruned\": " << json_of(pruned) << ", \"tensors\": [";
  const char* separator = "";
  for (const PrunedTensor& tensor : summary.tensors) {
    out << separator << "{\"name\": " << json_quoted(tensor.name)
        << ", \"elements\": " << tensor.elements << ", \"pruned\": " << tensor.pruned
        << ", \"threshold\": " << json_number(tensor.threshold) << '}';
    separator = ", ";
  }
  out << "]}";
  return out.str();
}

}  // namespace millrace::apps
