// Predict the emotions of dialogues with a bundle of `replicate export onnx`, in C++ and with onnxruntime alone:
//
//   predict BUNDLE FILE.csv                       features: a header, then dialogue,speaker,feature,... in order of time
//   predict BUNDLE SPEAKER=FILE.wav [...]         a WAV file for each utterance: 16-bit samples, one channel, 16 kHz
//
// It prints CSV: number of the dialogue and of the utterance, speaker, emotion, and the probability of each.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <onnxruntime_cxx_api.h>

namespace {

constexpr std::uintmax_t kLargest = 1 << 24;  // bytes of a file

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || !std::filesystem::is_regular_file(path)) throw std::runtime_error("cannot read " + path.string());
  if (std::filesystem::file_size(path) > kLargest) throw std::runtime_error(path.string() + " is too large: cut it");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A character in UTF-8.
void Append(std::string& text, std::uint32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
  } else if (code < 0x10000) {
    text += {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
             static_cast<char>(0x80 | (code & 63))};
  } else {
    text += {static_cast<char>(0xF0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 63)),
             static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
  }
}

// The texts of a JSON list, as the metadata of a model have them.
std::vector<std::string> Names(const std::string& json) {
  std::vector<std::string> found;
  for (std::size_t at = json.find('"'); at != std::string::npos; at = json.find('"', at + 1)) {
    std::string text;
    std::uint32_t high = 0;  // the first half of a pair
    while (++at < json.size() && json[at] != '"') {
      if (json[at] != '\\' || ++at >= json.size()) {
        text += json[at];
      } else if (json[at] == 'u') {
        const auto code = static_cast<std::uint32_t>(std::stoul(json.substr(at + 1, 4), nullptr, 16));
        at += 4;
        if (code >= 0xD800 && code < 0xDC00) {
          high = code;
        } else {
          Append(text, code >= 0xDC00 && code < 0xE000 ? 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) : code);
        }
      } else {
        const std::string escapes = "bfnrt", meant = "\b\f\n\r\t";
        const std::size_t which = escapes.find(json[at]);
        text += which == std::string::npos ? json[at] : meant[which];
      }
    }
    found.push_back(text);
  }
  return found;
}

// The utterances of one dialogue: rows of one length, and the model's number of each speaker.
struct Dialogue {
  std::vector<std::vector<float>> rows;
  std::vector<std::int64_t> speakers;
};

struct Model {
  Ort::Env env{ORT_LOGGING_LEVEL_ERROR, "predict"};
  Ort::Session session;
  std::vector<std::string> labels, speakers;

  explicit Model(const std::filesystem::path& path) : session(Open(path)) {
    Ort::AllocatorWithDefaultOptions allocator;
    const Ort::ModelMetadata metadata = session.GetModelMetadata();
    const auto names = [&](const char* key) {
      const auto text = metadata.LookupCustomMetadataMapAllocated(key, allocator);
      if (!text) throw std::runtime_error(path.string() + " is no model of replicate export onnx");
      return Names(text.get());
    };
    labels = names("labels");
    speakers = names("speakers");
  }

  Ort::Session Open(const std::filesystem::path& path) {
    if (!std::filesystem::is_regular_file(path)) throw std::runtime_error("there is no " + path.string());
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    return Ort::Session(env, path.c_str(), options);
  }

  std::int64_t Speaker(const std::string& name) const {
    const auto found = std::find(speakers.begin(), speakers.end(), name);
    if (found == speakers.end()) throw std::runtime_error("the model knows no speaker of that name");
    return found - speakers.begin();
  }

  // Returns (utterances, classes) in one list; `waves`: rows are samples, not features.
  std::vector<float> Run(Dialogue& dialogue, bool waves) {
    const auto count = static_cast<std::int64_t>(dialogue.rows.size());
    std::size_t width = 0;
    for (const auto& row : dialogue.rows) width = std::max(width, row.size());
    std::vector<float> values(dialogue.rows.size() * width);
    std::vector<std::int64_t> lengths;
    for (std::size_t i = 0; i < dialogue.rows.size(); ++i) {
      std::copy(dialogue.rows[i].begin(), dialogue.rows[i].end(), values.begin() + i * width);
      if (waves) lengths.push_back(static_cast<std::int64_t>(dialogue.rows[i].size()));
    }
    if (!waves) lengths.push_back(count);
    // model.onnx takes a batch of dialogues, here of one.
    std::vector<std::int64_t> shape{count, static_cast<std::int64_t>(width)}, of_speakers{count};
    if (!waves) {
      shape.insert(shape.begin(), 1);
      of_speakers.insert(of_speakers.begin(), 1);
    }
    const std::vector<std::int64_t> of_lengths{static_cast<std::int64_t>(lengths.size())};
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const auto integers = [&](std::vector<std::int64_t>& numbers, const std::vector<std::int64_t>& sizes) {
      return Ort::Value::CreateTensor<std::int64_t>(memory, numbers.data(), numbers.size(), sizes.data(), sizes.size());
    };
    std::vector<Ort::Value> inputs;
    inputs.push_back(
        Ort::Value::CreateTensor<float>(memory, values.data(), values.size(), shape.data(), shape.size()));
    inputs.push_back(integers(dialogue.speakers, of_speakers));
    inputs.push_back(integers(lengths, of_lengths));
    const char* names[] = {waves ? "waveform" : "audio", "speaker", waves ? "samples" : "length"};
    const char* output = "probability";
    const auto found = session.Run(Ort::RunOptions{nullptr}, names, inputs.data(), inputs.size(), &output, 1);
    const float* first = found[0].GetTensorData<float>();
    return {first, first + dialogue.rows.size() * labels.size()};
  }
};

std::vector<Dialogue> ReadFeatures(const Model& model, const std::filesystem::path& path) {
  std::vector<Dialogue> found;
  std::map<std::string, std::size_t> numbers;
  const std::string text = ReadFile(path);
  std::size_t at = text.find('\n'), line = 1, width = 0;
  while (at != std::string::npos && ++at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string where = path.string() + ", line " + std::to_string(++line) + ": ";
    std::vector<std::string> cells{""};
    for (std::size_t i = at; i < end; ++i) {
      if (text[i] == '"') throw std::runtime_error(where + "names in quotation marks are not for this example");
      if (text[i] == ',') cells.emplace_back();
      else if (text[i] != '\r') cells.back() += text[i];
    }
    at = end < text.size() ? end : std::string::npos;
    if (cells.size() == 1 && cells[0].empty()) continue;
    if (width == 0) width = cells.size();
    if (cells.size() < 3 || cells.size() != width) throw std::runtime_error(where + "other than the first line's cells");
    const std::size_t number = numbers.emplace(cells[0], numbers.size()).first->second;
    if (number == found.size()) found.emplace_back();
    Dialogue& dialogue = found[number];
    dialogue.speakers.push_back(model.Speaker(cells[1]));
    dialogue.rows.emplace_back();
    for (std::size_t i = 2; i < cells.size(); ++i) {
      char* rest = nullptr;
      const float value = std::strtof(cells[i].c_str(), &rest);
      if (cells[i].empty() || *rest || !std::isfinite(value)) throw std::runtime_error(where + "a cell is no number");
      dialogue.rows.back().push_back(value);
    }
  }
  return found;
}

std::uint32_t LittleEndian(const std::string& bytes, std::size_t at, int count) {
  std::uint32_t value = 0;
  for (int i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

// The samples of a WAV file, from -1 to 1.
std::vector<float> ReadWave(const std::filesystem::path& path) {
  const std::string bytes = ReadFile(path);
  if (bytes.compare(0, 4, "RIFF") != 0 || bytes.size() < 12 || bytes.compare(8, 4, "WAVE") != 0) {
    throw std::runtime_error(path.string() + " is no WAV file");
  }
  bool fits = false;
  for (std::size_t at = 12; at + 8 <= bytes.size();) {
    const std::string name = bytes.substr(at, 4);
    const std::size_t size = std::min<std::size_t>(LittleEndian(bytes, at + 4, 4), bytes.size() - at - 8);
    at += 8;
    if (name == "fmt " && size >= 16) {
      fits = LittleEndian(bytes, at, 2) == 1 && LittleEndian(bytes, at + 2, 2) == 1 &&
             LittleEndian(bytes, at + 4, 4) == 16000 && LittleEndian(bytes, at + 14, 2) == 16;
    } else if (name == "data" && fits && size >= 2) {
      std::vector<float> samples;
      for (std::size_t i = 0; i + 1 < size; i += 2) {
        samples.push_back(static_cast<std::int16_t>(LittleEndian(bytes, at + i, 2)) / 32768.0f);
      }
      return samples;
    }
    at += size + (size & 1);
  }
  throw std::runtime_error(path.string() + ": needs 16-bit samples, one channel, 16 kHz: ffmpeg -ac 1 -ar 16000");
}

// A cell of CSV.
std::string Cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2) text.insert(at, 1, '"');
  return '"' + text + '"';
}

void Print(const Model& model, const Dialogue& dialogue, const std::vector<float>& found, std::size_t number) {
  const std::size_t classes = model.labels.size();
  for (std::size_t i = 0; i < dialogue.rows.size(); ++i) {
    const float* row = found.data() + i * classes;
    const std::size_t best = std::max_element(row, row + classes) - row;
    std::cout << number << ',' << i + 1 << ',' << Cell(model.speakers[dialogue.speakers[i]]) << ','
              << Cell(model.labels[best]);
    for (std::size_t k = 0; k < classes; ++k) std::cout << ',' << row[k];
    std::cout << '\n';
  }
}

void Predict(const std::filesystem::path& bundle, const std::vector<std::string>& given) {
  const bool waves = given[0].find('=') != std::string::npos;
  Model model(bundle / (waves ? "model.wav.onnx" : "model.onnx"));
  std::vector<Dialogue> dialogues(1);
  if (!waves) dialogues = ReadFeatures(model, given[0]);
  for (std::size_t i = 0; waves && i < given.size(); ++i) {
    const std::size_t equals = given[i].find('=');
    dialogues[0].speakers.push_back(model.Speaker(given[i].substr(0, equals)));
    dialogues[0].rows.push_back(ReadWave(given[i].substr(equals + 1)));
  }
  std::cout << "dialogue,utterance,speaker,label";
  for (const auto& label : model.labels) std::cout << ',' << Cell(label);
  std::cout << '\n';
  for (std::size_t i = 0; i < dialogues.size(); ++i) Print(model, dialogues[i], model.Run(dialogues[i], waves), i + 1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: predict BUNDLE FILE.csv, or predict BUNDLE SPEAKER=FILE.wav ...\n";
    return 2;
  }
  try {
    Predict(argv[1], {argv + 2, argv + argc});
  } catch (const std::exception& error) {
    std::string text = error.what();
    std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
    std::cerr << "error: " << text << '\n';
    return 1;
  }
  return 0;
}
