#include <millrace/nn/model_json.h>

#include <millrace/core/error.h>
#include <millrace/nn/json_fields.h>
#include <millrace/nn/preprocessing.h>

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <type_traits>
#include <utility>

namespace millrace::nn {
namespace {

using detail::Fields;
using detail::Json;

/// The float as the shortest decimal number that reads back equal: 0.9, not 0.8999999761581421.
double shortest(float value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double result = 0;
  std::from_chars(text.data(), end, result);
  return result;
}

Json numbers(const std::vector<float>& values) {
  Json result = Json::array();
  for (const float value : values) result.push_back(shortest(value));
  return result;
}

// One pair of functions a kind: what it writes, and how it is read.

void write(Json& json, const Dense& dense) {
  json["units"] = dense.units;
  json["bias"] = dense.bias;
}
void read(Fields& fields, Dense& dense) {
  fields.required("units", dense.units);
  fields.optional("bias", dense.bias);
}

void write(Json& json, const Conv2D& conv) {
  json["filters"] = conv.filters;
  json["rows"] = conv.rows;
  json["columns"] = conv.columns;
  json["stride"] = conv.stride;
  json["padding"] = to_string(conv.padding);
  json["bias"] = conv.bias;
}
void read(Fields& fields, Conv2D& conv) {
  fields.required("filters", conv.filters);
  fields.required("rows", conv.rows);
  fields.required("columns", conv.columns);
  fields.optional("stride", conv.stride);
  fields.optional("padding", conv.padding);
  fields.optional("bias", conv.bias);
}

template <class Pool>
requires std::is_same_v<Pool, MaxPool2D> || std::is_same_v<Pool, AvgPool2D>
void write(Json& json, const Pool& pool) {
  json["size"] = pool.size;
  json["stride"] = pool.stride;
  json["padding"] = to_string(pool.padding);
}
template <class Pool>
requires std::is_same_v<Pool, MaxPool2D> || std::is_same_v<Pool, AvgPool2D>
void read(Fields& fields, Pool& pool) {
  fields.required("size", pool.size);
  fields.required("stride", pool.stride);
  fields.optional("padding", pool.padding);
}

void write(Json& json, const Dropout& dropout) {
  json["rate"] = shortest(dropout.rate);
}
void read(Fields& fields, Dropout& dropout) {
  fields.required("rate", dropout.rate);
}

void write(Json& json, const BatchNorm& norm) {
  json["momentum"] = shortest(norm.momentum);
  json["epsilon"] = shortest(norm.epsilon);
  json["biased_variance"] = norm.biased_variance;
}
void read(Fields& fields, BatchNorm& norm) {
  fields.optional("momentum", norm.momentum);
  fields.optional("epsilon", norm.epsilon);
  fields.optional("biased_variance", norm.biased_variance);
}

/// The kinds without options.
template <class Kind>
requires std::is_empty_v<Kind>
void write(Json&, const Kind&) {}
template <class Kind>
requires std::is_empty_v<Kind>
void read(Fields&, Kind&) {}

Json json_of(const Layer& layer) {
  Json json;
  json["name"] = layer.name;
  json["kind"] = kind_name(layer.kind);
  std::visit([&](const auto& kind) { write(json, kind); }, layer.kind);
  const bool has_kernel =
      std::holds_alternative<Dense>(layer.kind) || std::holds_alternative<Conv2D>(layer.kind);
  if (has_kernel || layer.initializer != Layer{}.initializer) {
    json["initializer"] = to_string(layer.initializer);
  }
  json["trainable"] = layer.trainable;
  return json;
}

template <std::size_t I = 0>
LayerKind kind_named(const Fields& fields, const std::string& name) {
  if constexpr (I == std::variant_size_v<LayerKind>) {
    fields.fail("kind", concat("unknown kind of layer '", name, "'"));
  } else {
    const LayerKind kind{std::in_place_index<I>};
    return name == kind_name(kind) ? kind : kind_named<I + 1>(fields, name);
  }
}

Layer layer_from(const Json& json, std::string where) {
  Fields fields(json, std::move(where));
  Layer layer;
  fields.required("name", layer.name);
  std::string kind;
  fields.required("kind", kind);
  layer.kind = kind_named(fields, kind);
  std::visit([&](auto& options) { read(fields, options); }, layer.kind);
  fields.optional("initializer", layer.initializer);
  fields.optional("trainable", layer.trainable);
  fields.finish();
  return layer;
}

/// What is seldom used is written only where it is.
Json json_of(const Preprocessing& preprocessing) {
  Json json = {{"filter", preprocessing.filter},
               {"scale", shortest(preprocessing.scale)},
               {"mean", numbers(preprocessing.mean)},
               {"deviation", numbers(preprocessing.deviation)}};
  if (preprocessing.exif_orientation) json["exif_orientation"] = true;
  if (preprocessing.background) json["background"] = to_string(*preprocessing.background);
  if (preprocessing.order != ChannelOrder::rgb) json["order"] = to_string(preprocessing.order);
  if (preprocessing.samplewise_center) json["samplewise_center"] = true;
  if (preprocessing.samplewise_deviation) json["samplewise_deviation"] = true;
  if (preprocessing.whiten) json["whiten"] = true;
  return json;
}

Preprocessing preprocessing_from(const Json& json, const Shape& sample) {
  Fields fields(json, "preprocessing");
  Preprocessing result = default_preprocessing(sample);
  fields.optional("filter", result.filter);
  fields.optional("exif_orientation", result.exif_orientation);
  fields.optional("background", result.background);
  fields.optional("scale", result.scale);
  fields.optional("mean", result.mean);
  fields.optional("deviation", result.deviation);
  fields.optional("order", result.order);
  fields.optional("samplewise_center", result.samplewise_center);
  fields.optional("samplewise_deviation", result.samplewise_deviation);
  fields.optional("whiten", result.whiten);
  fields.finish();
  return result;
}

/// Nothing at all for pictures and tables of old, so that files are what they were.
Json json_of(const TableForm& table) {
  Json json = Json::object();
  if (!table.columns.empty()) json["columns"] = table.columns;
  if (!table.label.empty()) json["label"] = table.label;
  if (table.label_column != 0) json["label_column"] = table.label_column;
  if (table.header) json["header"] = *table.header;
  if (table.separator != '\0') json["separator"] = std::string(1, table.separator);
  return json;
}

TableForm table_from(const Json& json) {
  Fields fields(json, "table");
  TableForm result;
  fields.optional("columns", result.columns);
  fields.optional("label", result.label);
  fields.optional("label_column", result.label_column);
  if (fields.find("header") != nullptr) fields.required("header", result.header.emplace());
  std::string separator;
  fields.optional("separator", separator);
  if (separator.size() > 1 || separator == std::string(1, '\0')) {
    fields.fail("separator", concat("expected ", kTableSeparators));
  }
  if (!separator.empty()) result.separator = separator[0];  // which validate() looks at
  fields.finish();
  return result;
}

Shape input_from(const std::vector<std::int64_t>& extents) {
  if (extents.size() == 1) return {extents[0]};
  if (extents.size() == 3) return {extents[0], extents[1], extents[2]};
  throw Error("model: input: expected [height, width, channels] or [features]");
}

}  // namespace

std::string to_json(const Model& model) {
  Json json;
  json["name"] = model.name;
  json["input"] =
      std::vector<std::int64_t>(model.input.extents().begin(), model.input.extents().end());
  json["preprocessing"] = json_of(model.preprocessing);
  json["classes"] = model.classes;
  if (Json table = json_of(model.table); !table.empty()) json["table"] = std::move(table);
  json["layers"] = Json::array();
  for (const Layer& layer : model.layers) json["layers"].push_back(json_of(layer));
  try {
    return json.dump(2) + "\n";
  } catch (const Json::exception&) {
    throw Error(concat("model '", model.name,
                       "': a name is not UTF-8 and cannot be written as JSON; "
                       "rename the class, layer or column"));
  }
}

Model model_from_json(std::string_view text) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::exception& error) {
    throw Error(concat("model: not JSON: ", error.what()));
  }
  Fields fields(json, "");
  Model model;
  std::vector<std::int64_t> extents;
  fields.required("name", model.name);
  fields.required("input", extents);
  model.input = input_from(extents);
  model.preprocessing = default_preprocessing(model.input);
  if (const Json* part = fields.find("preprocessing")) {
    model.preprocessing = preprocessing_from(*part, model.input);
  }
  if (const Json* part = fields.find("table")) model.table = table_from(*part);
  fields.optional("classes", model.classes);
  const Json* layers = fields.find("layers");
  if (layers == nullptr || !layers->is_array()) fields.fail("layers", "expected a list of layers");
  for (std::size_t i = 0; i < layers->size(); ++i) {
    model.layers.push_back(layer_from((*layers)[i], concat("layers[", i, "]")));
  }
  fields.finish();
  validate(model);
  return model;
}

}  // namespace millrace::nn
