"""Write the deployed model as ONNX graphs and quantise them."""
