#pragma once
// The table of the zoo's networks: a row each, by which the command line knows them.

#include <millrace/nn/model.h>
#include <millrace/nn/zoo/zoo_options.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace millrace::nn::zoo {

struct Network {
  using Make = Model (*)(std::string_view name, const Shape& input, std::int64_t outputs,
                         const ZooOptions& options);
  using KerasName = std::string (*)(std::string_view name, std::string_view layer);
  enum class Dropout { none, usual, on_demand };

  std::string_view name;
  Make make;
  Dropout dropout = Dropout::none;
  KerasName keras_name = nullptr;  ///< null: Keras does not have it
  bool keras_differs = false;      ///< so that there is another form of it
  bool has_width = false;
};

[[nodiscard]] std::span<const Network> networks() noexcept;
/// Null if there is none.
[[nodiscard]] const Network* find_network(std::string_view name) noexcept;
/// The options that the words after the name ask for, "0.5:keras". Throws UsageError that lists
/// what the network knows.
[[nodiscard]] ZooOptions read_options(const Network& network, std::string_view words);

}  // namespace millrace::nn::zoo
