#include <millrace/nn/model_json.h>

#include <millrace/core/error.h>
#include <millrace/nn/json_fields.h>
#include <millrace/nn/layers/registry.h>
#include <millrace/nn/preprocessing.h>

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
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

/// Writes the options of a kind of layer.
class FieldWriter final : public FieldList {
 public:
  explicit FieldWriter(Json& json) : json_(json) {}

 private:
  void field(const char* name, Field field, bool) override {
    std::visit([&](const auto* value) { json_[name] = written(*value); }, field);
  }
  static bool written(bool value) { return value; }
  static std::int64_t written(std::int64_t value) { return value; }
  static std::uint32_t written(std::uint32_t value) { return value; }
  static double written(float value) { return shortest(value); }
  [[nodiscard]] bool leaves_out_usual() const override { return true; }
  static Json written(const Pair& value) {
    if (value.rows == value.columns) return value.rows;
    return Json::array({value.rows, value.columns});
  }
  static Json written(const Padding& value) {
    if (value.is_same() || value == Padding::valid) return to_string(value);
    return Json::array({value.top(), value.bottom(), value.left(), value.right()});
  }

  Json& json_;
};

/// Reads them.
class FieldReader final : public FieldList {
 public:
  explicit FieldReader(Fields& fields) : fields_(fields) {}

 private:
  void field(const char* name, Field field, bool is_required) override {
    std::visit(
        [&](auto* value) {
          is_required ? fields_.required(name, *value) : fields_.optional(name, *value);
        },
        field);
  }

  Fields& fields_;
};

Json json_of(const Layer& layer) {
  Json json;
  json["name"] = layer.name;
  json["kind"] = kind_name(layer.kind);
  if (!layer.inputs.empty()) json["inputs"] = layer.inputs;
  FieldWriter writer(json);
  layer.kind.list(writer);
  if (layer.kind.facts().has_kernel || layer.initializer != Layer{}.initializer) {
    json["initializer"] = to_string(layer.initializer);
  }
  json["trainable"] = layer.trainable;
  return json;
}

Layer layer_from(const Json& json, std::string where) {
  Fields fields(json, std::move(where));
  Layer layer;
  fields.required("name", layer.name);
  std::string kind;
  fields.required("kind", kind);
  const auto known = layer_kind(kind);
  if (!known) fields.fail("kind", concat("unknown kind of layer '", kind, "'"));
  layer.kind = *known;
  fields.optional("inputs", layer.inputs);
  FieldReader reader(fields);
  layer.kind.list(reader);
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

/// Nothing at all for images and tables of old, so that files are what they were.
Json json_of(const TableForm& table) {
  Json json = Json::object();
  if (!table.columns.empty()) json["columns"] = table.columns;
  if (!table.label.empty()) json["label"] = table.label;
  if (table.label_column != 0) json["label_column"] = table.label_column;
  if (!table.target_columns.empty()) json["target_columns"] = table.target_columns;
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
  fields.optional("target_columns", result.target_columns);
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
  if (!model.targets.empty()) json["targets"] = model.targets;
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
  fields.optional("targets", model.targets);
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
