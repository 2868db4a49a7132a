//! Eight-bit floats of a file become the values that libtorch reads them as.

use i2am_nets::layout::Checkpoint;
use tch::{Kind, Tensor};

#[test]
fn every_code_has_the_value_of_libtorch() {
    let folder = tempfile::tempdir().unwrap();
    let codes: Vec<u8> = (0..=255).collect();
    for (dtype, kind) in [
        ("F8_E4M3", Kind::Float8e4m3fn),
        ("F8_E5M2", Kind::Float8e5m2),
    ] {
        let header =
            format!(r#"{{"w":{{"dtype":"{dtype}","shape":[16,16],"data_offsets":[0,256]}}}}"#);
        let bytes = [
            &(header.len() as u64).to_le_bytes(),
            header.as_bytes(),
            &codes[..],
        ]
        .concat();
        let path = folder.path().join(dtype);
        {
            use std::io::Write as _;
            std::fs::File::create(&path)
                .unwrap()
                .write_all(&bytes)
                .unwrap();
        }
        let checkpoint =
            Checkpoint::open_single(&path, "net", |name| Some(name.to_owned())).unwrap();
        let read = checkpoint.tensor("net.w").unwrap();
        assert_eq!((read.size(), read.kind()), (vec![16, 16], Kind::Float));
        let values = |tensor: &Tensor| Vec::<f32>::try_from(tensor.reshape([-1])).unwrap();
        let expected = Tensor::from_data_size(&codes, &[16, 16], kind).to_kind(Kind::Float);
        for ((found, expected), code) in
            values(&read).into_iter().zip(values(&expected)).zip(&codes)
        {
            let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
            assert!(
                same,
                "{dtype} 0x{code:02x}: {found}, libtorch has {expected}"
            );
        }
    }
}
