#pragma once
// A command's line: options as its list has them (training/option_list.h), positional arguments,
// recipes, and --help by topic. Boost.Program_options parses the words and prints the help.

#include <millrace/training/option_list.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::apps {

/// The options of a command and its positional arguments.
class CommandLine : public OptionList {
 public:
  /// `usage` is the text after "usage: millrace ", e.g. "train DATA [OPTIONS]"; `description` has a
  /// line for each paragraph, and --help breaks long ones.
  CommandLine(std::string command, std::string usage, std::string description);

  /// Takes all positional arguments that are left.
  void positional_many(std::vector<std::string>& field);
  /// Adds --recipe FILE, whose keys are the names of options. The command line wins.
  void accept_recipe() { takes_recipe_ = true; }

  /// Reads the arguments into the fields. Returns false when --help was asked for and printed.
  /// Options of recipes that have no effect are dropped, with a note on standard error unless an
  /// option "quiet" is on. Throws UsageError naming the command and the option or recipe line.
  [[nodiscard]] bool parse(const std::vector<std::string>& arguments);
  /// Called by parse() once the arguments are read, to add what they do not say themselves.
  void then(std::function<void()> complete) { complete_ = std::move(complete); }

  /// The file of --recipe, or empty.
  [[nodiscard]] const std::string& recipe() const noexcept { return recipe_; }

 private:
  void read(const std::vector<std::string>& arguments);
  void print_help(const std::string& topic) const;

  std::string command_, usage_, description_;
  std::vector<std::string>* rest_ = nullptr;
  bool takes_recipe_ = false;
  std::string recipe_;
  std::function<void()> complete_;
  bool wants_help_ = false;
  std::string help_topic_;
};

}  // namespace millrace::apps
