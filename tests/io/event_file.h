#pragma once
// Reading event files back, for tests of those who write them. Needs the messages of io.

#include <millrace/core/error.h>
#include <millrace/io/files.h>

#include <event.pb.h>
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace millrace::test {

/// The events of a file, that of the version left out. The checksums are not looked at.
inline std::vector<event::Event> read_events(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path);
  const std::string file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<event::Event> events;
  for (std::size_t at = 0; at < file.size();) {
    std::uint64_t length = 0;
    std::memcpy(&length, &file.at(at), sizeof(length));
    event::Event event;
    if (!event.ParseFromString(file.substr(at + 12, static_cast<std::size_t>(length)))) {
      throw Error(path.string() + ": an event that cannot be read");
    }
    events.push_back(event);
    at += static_cast<std::size_t>(length) + 16;
  }
  if (events.empty()) throw Error(path.string() + ": no version");
  events.erase(events.begin());
  return events;
}

/// Those of all files of a folder, in the order of their names.
inline std::vector<event::Event> read_run(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files(std::filesystem::directory_iterator(folder), {});
  std::sort(files.begin(), files.end());
  std::vector<event::Event> events;
  for (const std::filesystem::path& file : files) {
    const std::vector<event::Event> more = read_events(file);
    events.insert(events.end(), more.begin(), more.end());
  }
  return events;
}

/// Values of one tag, in the order of their steps.
inline std::vector<float> values_of(const std::filesystem::path& run, const std::string& tag) {
  std::vector<float> values;
  for (const event::Event& event : read_run(run)) {
    const event::Summary::Value& value = event.summary().value(0);
    if (value.tag() == tag && value.tensor().float_val_size() == 1)
      values.push_back(value.tensor().float_val(0));
  }
  return values;
}

}  // namespace millrace::test
