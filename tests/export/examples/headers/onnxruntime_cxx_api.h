// What the example in C++ uses of onnxruntime's C++ interface, for machines that have the library and not its headers.
//
// It calls the functions of the library's table by their places, which are fixed since version 1.2 of onnxruntime.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

enum OrtLoggingLevel { ORT_LOGGING_LEVEL_ERROR = 3 };
enum OrtAllocatorType { OrtArenaAllocator = 1 };
enum OrtMemType { OrtMemTypeDefault = 0 };

struct OrtApiBase {
  void* const* (*GetApi)(std::uint32_t version);
  const char* (*GetVersionString)();
};
extern "C" const OrtApiBase* OrtGetApiBase();

namespace Ort {

using Status = void*;
enum Place {
  kErrorMessage = 2, kCreateEnv = 3, kCreateSession = 7, kRun = 9, kCreateSessionOptions = 10, kSetIntraOpNumThreads = 24,
  kCreateTensor = 49, kGetData = 51, kCreateCpuMemoryInfo = 69, kAllocatorFree = 76, kGetAllocator = 78, kReleaseEnv = 92,
  kReleaseStatus = 93, kReleaseMemoryInfo = 94, kReleaseSession = 95, kReleaseValue = 96, kReleaseSessionOptions = 100,
  kGetMetadata = 111, kLookup = 116, kReleaseMetadata = 118,
};

template <typename Function>
Function* At(Place place) {
  static void* const* const table = OrtGetApiBase()->GetApi(2);
  return reinterpret_cast<Function*>(table[place]);
}

template <typename... Types>
void Call(Place place, Types... values) {
  const Status status = At<Status(Types...)>(place)(values...);
  if (!status) return;
  const std::string message = At<const char*(Status)>(kErrorMessage)(status);
  At<void(Status)>(kReleaseStatus)(status);
  throw std::runtime_error(message);
}

// Owns an object of the library.
template <Place release>
struct Owner {
  void* object = nullptr;
  Owner() = default;
  Owner(Owner&& other) noexcept : object(std::exchange(other.object, nullptr)) {}
  Owner& operator=(Owner&& other) noexcept { std::swap(object, other.object); return *this; }
  ~Owner() { if (object) At<void(void*)>(release)(object); }
};

struct Env : Owner<kReleaseEnv> {
  Env(OrtLoggingLevel level, const char* name) { Call(kCreateEnv, level, name, &object); }
};

struct SessionOptions : Owner<kReleaseSessionOptions> {
  SessionOptions() { Call(kCreateSessionOptions, &object); }
  SessionOptions& SetIntraOpNumThreads(int count) { Call(kSetIntraOpNumThreads, object, count); return *this; }
};

struct MemoryInfo : Owner<kReleaseMemoryInfo> {
  static MemoryInfo CreateCpu(OrtAllocatorType allocator, OrtMemType memory) {
    MemoryInfo found;
    Call(kCreateCpuMemoryInfo, allocator, memory, &found.object);
    return found;
  }
};

struct AllocatorWithDefaultOptions {
  void* object = nullptr;
  AllocatorWithDefaultOptions() { Call(kGetAllocator, &object); }
};

struct Free {
  void* allocator;
  void operator()(char* text) const { At<Status(void*, void*)>(kAllocatorFree)(allocator, text); }
};

struct ModelMetadata : Owner<kReleaseMetadata> {
  std::unique_ptr<char, Free> LookupCustomMetadataMapAllocated(const char* key, AllocatorWithDefaultOptions& from) const {
    char* text = nullptr;
    Call(kLookup, object, from.object, key, &text);
    return {text, Free{from.object}};
  }
};

template <typename Number>
constexpr int Type();
template <>
constexpr int Type<float>() { return 1; }
template <>
constexpr int Type<std::int64_t>() { return 7; }

struct Value : Owner<kReleaseValue> {
  template <typename Number>
  static Value CreateTensor(const MemoryInfo& memory, Number* data, std::size_t count, const std::int64_t* shape,
                            std::size_t axes) {
    Value found;
    Call(kCreateTensor, memory.object, static_cast<void*>(data), count * sizeof(Number), shape, axes, Type<Number>(),
         &found.object);
    return found;
  }
  template <typename Number>
  const Number* GetTensorData() const {
    void* data = nullptr;
    Call(kGetData, object, &data);
    return static_cast<const Number*>(data);
  }
};

struct RunOptions {
  explicit RunOptions(std::nullptr_t) {}
};

struct Session : Owner<kReleaseSession> {
  Session(Env& env, const char* path, const SessionOptions& options) {
    Call(kCreateSession, env.object, path, options.object, &object);
  }
  ModelMetadata GetModelMetadata() const {
    ModelMetadata found;
    Call(kGetMetadata, object, &found.object);
    return found;
  }
  std::vector<Value> Run(const RunOptions&, const char* const* names, const Value* inputs, std::size_t count,
                         const char* const* outputs, std::size_t wanted) {
    std::vector<void*> given, made(wanted);
    for (std::size_t i = 0; i < count; ++i) given.push_back(inputs[i].object);
    Call(kRun, object, static_cast<void*>(nullptr), names, given.data(), count, outputs, wanted, made.data());
    std::vector<Value> found(wanted);
    for (std::size_t i = 0; i < wanted; ++i) found[i].object = made[i];
    return found;
  }
};

}  // namespace Ort
