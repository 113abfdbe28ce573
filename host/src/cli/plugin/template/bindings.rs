//! The contract, `wit/plugin.wit`, in Rust, as wit-bindgen 0.60 writes it. It stands here because a generator takes a minute to
//! compile; `wit_bindgen::generate!({ path: "wit", world: "plugin" })` makes the same.
#![allow(clippy::all, dead_code, unused_imports, reason = "generated code")]

#[allow(dead_code, clippy::all)]
pub mod anglerfish {
    pub mod plugin {
        /// What a plugin remembers from call to call: of its own, in memory, and within the gateway's limit. It is gone after a
        /// restart.
        #[allow(dead_code, async_fn_in_trait, unused_imports, clippy::all)]
        pub mod state {
            #[used]
            #[doc(hidden)]
            static __FORCE_SECTION_REF: fn() = super::super::super::__link_custom_section_describing_imports;
            use super::super::super::_rt;
            #[allow(unused_unsafe, clippy::all)]
            /// The value of a key.
            #[allow(async_fn_in_trait)]
            pub fn get(key: &str) -> Option<_rt::Vec<u8>> {
                unsafe {
                    #[cfg_attr(target_pointer_width = "64", repr(align(8)))]
                    #[cfg_attr(target_pointer_width = "32", repr(align(4)))]
                    struct RetArea(
                        [::core::mem::MaybeUninit<
                            u8,
                        >; 3 * ::core::mem::size_of::<*const u8>()],
                    );
                    let mut ret_area = RetArea(
                        [::core::mem::MaybeUninit::uninit(); 3
                            * ::core::mem::size_of::<*const u8>()],
                    );
                    let vec0 = key;
                    let ptr0 = vec0.as_ptr().cast::<u8>();
                    let len0 = vec0.len();
                    let ptr1 = ret_area.0.as_mut_ptr().cast::<u8>();
                    #[cfg(target_arch = "wasm32")]
                    #[link(wasm_import_module = "anglerfish:plugin/state@0.1.0")]
                    unsafe extern "C" {
                        #[link_name = "get"]
                        fn wit_import2(_: *mut u8, _: usize, _: *mut u8);
                    }
                    #[cfg(not(target_arch = "wasm32"))]
                    unsafe extern "C" fn wit_import2(_: *mut u8, _: usize, _: *mut u8) {
                        unreachable!()
                    }
                    wit_import2(ptr0.cast_mut(), len0, ptr1);
                    let l3 = i32::from(*ptr1.add(0).cast::<u8>());
                    let result7 = match l3 {
                        0 => None,
                        1 => {
                            let e = {
                                let l4 = *ptr1
                                    .add(::core::mem::size_of::<*const u8>())
                                    .cast::<*mut u8>();
                                let l5 = *ptr1
                                    .add(2 * ::core::mem::size_of::<*const u8>())
                                    .cast::<usize>();
                                let len6 = l5;
                                <_ as From<
                                    _rt::Vec<_>,
                                >>::from(_rt::Vec::from_raw_parts(l4.cast(), len6, len6))
                            };
                            Some(e)
                        }
                        _ => _rt::invalid_enum_discriminant(),
                    };
                    result7
                }
            }
            #[allow(unused_unsafe, clippy::all)]
            /// Sets a key. An error says that there is no room for it.
            #[allow(async_fn_in_trait)]
            pub fn set(key: &str, value: &[u8]) -> Result<(), _rt::String> {
                unsafe {
                    #[cfg_attr(target_pointer_width = "64", repr(align(8)))]
                    #[cfg_attr(target_pointer_width = "32", repr(align(4)))]
                    struct RetArea(
                        [::core::mem::MaybeUninit<
                            u8,
                        >; 3 * ::core::mem::size_of::<*const u8>()],
                    );
                    let mut ret_area = RetArea(
                        [::core::mem::MaybeUninit::uninit(); 3
                            * ::core::mem::size_of::<*const u8>()],
                    );
                    let vec0 = key;
                    let ptr0 = vec0.as_ptr().cast::<u8>();
                    let len0 = vec0.len();
                    let vec1 = value;
                    let ptr1 = vec1.as_ptr().cast::<u8>();
                    let len1 = vec1.len();
                    let ptr2 = ret_area.0.as_mut_ptr().cast::<u8>();
                    #[cfg(target_arch = "wasm32")]
                    #[link(wasm_import_module = "anglerfish:plugin/state@0.1.0")]
                    unsafe extern "C" {
                        #[link_name = "set"]
                        fn wit_import3(
                            _: *mut u8,
                            _: usize,
                            _: *mut u8,
                            _: usize,
                            _: *mut u8,
                        );
                    }
                    #[cfg(not(target_arch = "wasm32"))]
                    unsafe extern "C" fn wit_import3(
                        _: *mut u8,
                        _: usize,
                        _: *mut u8,
                        _: usize,
                        _: *mut u8,
                    ) {
                        unreachable!()
                    }
                    wit_import3(ptr0.cast_mut(), len0, ptr1.cast_mut(), len1, ptr2);
                    let l4 = i32::from(*ptr2.add(0).cast::<u8>());
                    let result8 = match l4 {
                        0 => {
                            let e = ();
                            Ok(e)
                        }
                        1 => {
                            let e = {
                                let l5 = *ptr2
                                    .add(::core::mem::size_of::<*const u8>())
                                    .cast::<*mut u8>();
                                let l6 = *ptr2
                                    .add(2 * ::core::mem::size_of::<*const u8>())
                                    .cast::<usize>();
                                let len7 = l6;
                                let bytes7 = _rt::Vec::from_raw_parts(
                                    l5.cast(),
                                    len7,
                                    len7,
                                );
                                _rt::string_lift(bytes7)
                            };
                            Err(e)
                        }
                        _ => _rt::invalid_enum_discriminant(),
                    };
                    result8
                }
            }
            #[allow(unused_unsafe, clippy::all)]
            /// Forgets a key.
            #[allow(async_fn_in_trait)]
            pub fn delete(key: &str) -> () {
                unsafe {
                    let vec0 = key;
                    let ptr0 = vec0.as_ptr().cast::<u8>();
                    let len0 = vec0.len();
                    #[cfg(target_arch = "wasm32")]
                    #[link(wasm_import_module = "anglerfish:plugin/state@0.1.0")]
                    unsafe extern "C" {
                        #[link_name = "delete"]
                        fn wit_import1(_: *mut u8, _: usize);
                    }
                    #[cfg(not(target_arch = "wasm32"))]
                    unsafe extern "C" fn wit_import1(_: *mut u8, _: usize) {
                        unreachable!()
                    }
                    wit_import1(ptr0.cast_mut(), len0);
                }
            }
        }
        /// Lines in the gateway's log.
        #[allow(dead_code, async_fn_in_trait, unused_imports, clippy::all)]
        pub mod log {
            #[used]
            #[doc(hidden)]
            static __FORCE_SECTION_REF: fn() = super::super::super::__link_custom_section_describing_imports;
            #[allow(unused_unsafe, clippy::all)]
            /// Writes a line. What is longer than the gateway allows in one call is left out.
            #[allow(async_fn_in_trait)]
            pub fn write(message: &str) -> () {
                unsafe {
                    let vec0 = message;
                    let ptr0 = vec0.as_ptr().cast::<u8>();
                    let len0 = vec0.len();
                    #[cfg(target_arch = "wasm32")]
                    #[link(wasm_import_module = "anglerfish:plugin/log@0.1.0")]
                    unsafe extern "C" {
                        #[link_name = "write"]
                        fn wit_import1(_: *mut u8, _: usize);
                    }
                    #[cfg(not(target_arch = "wasm32"))]
                    unsafe extern "C" fn wit_import1(_: *mut u8, _: usize) {
                        unreachable!()
                    }
                    wit_import1(ptr0.cast_mut(), len0);
                }
            }
        }
        /// What a plugin is asked, and what it says.
        #[allow(dead_code, async_fn_in_trait, unused_imports, clippy::all)]
        pub mod types {
            #[used]
            #[doc(hidden)]
            static __FORCE_SECTION_REF: fn() = super::super::super::__link_custom_section_describing_imports;
            use super::super::super::_rt;
            /// An event that a subscription's own filter wants already.
            #[derive(Clone)]
            pub struct Event {
                /// The subscription's id.
                pub subscription: _rt::String,
                /// The event's id; unique together with `source`.
                pub id: _rt::String,
                /// The source that it came in through, or where it was published from.
                pub source: _rt::String,
                /// What happened: `order.created`.
                pub type_: _rt::String,
                /// What it is about.
                pub subject: Option<_rt::String>,
                /// When it happened, in milliseconds since the Unix epoch.
                pub time: u64,
                /// The media type of the data.
                pub datacontenttype: Option<_rt::String>,
                /// CloudEvents extension attributes.
                pub extensions: _rt::Vec<(_rt::String, _rt::String)>,
                /// The header fields that were kept of the request that brought it, with their names in lower case.
                pub headers: _rt::Vec<(_rt::String, _rt::String)>,
                /// The data, byte for byte.
                pub data: _rt::Vec<u8>,
            }
            impl ::core::fmt::Debug for Event {
                fn fmt(
                    &self,
                    f: &mut ::core::fmt::Formatter<'_>,
                ) -> ::core::fmt::Result {
                    f.debug_struct("Event")
                        .field("subscription", &self.subscription)
                        .field("id", &self.id)
                        .field("source", &self.source)
                        .field("type", &self.type_)
                        .field("subject", &self.subject)
                        .field("time", &self.time)
                        .field("datacontenttype", &self.datacontenttype)
                        .field("extensions", &self.extensions)
                        .field("headers", &self.headers)
                        .field("data", &self.data)
                        .finish()
                }
            }
            /// Data to deliver in the place of the event's own.
            #[derive(Clone)]
            pub struct Body {
                /// Its media type; none leaves that of the event.
                pub datacontenttype: Option<_rt::String>,
                /// The data.
                pub data: _rt::Vec<u8>,
            }
            impl ::core::fmt::Debug for Body {
                fn fmt(
                    &self,
                    f: &mut ::core::fmt::Formatter<'_>,
                ) -> ::core::fmt::Result {
                    f.debug_struct("Body")
                        .field("datacontenttype", &self.datacontenttype)
                        .field("data", &self.data)
                        .finish()
                }
            }
            /// What is to become of the event for this subscription.
            #[derive(Clone)]
            pub enum Verdict {
                /// It is delivered.
                Deliver,
                /// It is not delivered, for this reason.
                Drop(_rt::String),
                /// It is delivered with other data.
                Replace(Body),
            }
            impl ::core::fmt::Debug for Verdict {
                fn fmt(
                    &self,
                    f: &mut ::core::fmt::Formatter<'_>,
                ) -> ::core::fmt::Result {
                    match self {
                        Verdict::Deliver => f.debug_tuple("Verdict::Deliver").finish(),
                        Verdict::Drop(e) => {
                            f.debug_tuple("Verdict::Drop").field(e).finish()
                        }
                        Verdict::Replace(e) => {
                            f.debug_tuple("Verdict::Replace").field(e).finish()
                        }
                    }
                }
            }
        }
    }
}
#[allow(dead_code, clippy::all)]
pub mod exports {
    pub mod anglerfish {
        pub mod plugin {
            /// What a plugin does.
            #[allow(dead_code, async_fn_in_trait, unused_imports, clippy::all)]
            pub mod filter {
                #[used]
                #[doc(hidden)]
                static __FORCE_SECTION_REF: fn() = super::super::super::super::__link_custom_section_describing_imports;
                use super::super::super::super::_rt;
                pub type Event = super::super::super::super::anglerfish::plugin::types::Event;
                pub type Verdict = super::super::super::super::anglerfish::plugin::types::Verdict;
                #[doc(hidden)]
                #[allow(non_snake_case, unused_unsafe)]
                pub unsafe fn _export_judge_cabi<T_: Guest>(arg0: *mut u8) -> *mut u8 {
                    unsafe {
                        #[cfg(target_arch = "wasm32")] _rt::run_ctors_once();
                        let result45 = {
                            let l0 = *arg0.add(0).cast::<*mut u8>();
                            let l1 = *arg0
                                .add(::core::mem::size_of::<*const u8>())
                                .cast::<usize>();
                            let len2 = l1;
                            let bytes2 = _rt::Vec::from_raw_parts(l0.cast(), len2, len2);
                            let l3 = *arg0
                                .add(2 * ::core::mem::size_of::<*const u8>())
                                .cast::<*mut u8>();
                            let l4 = *arg0
                                .add(3 * ::core::mem::size_of::<*const u8>())
                                .cast::<usize>();
                            let len5 = l4;
                            let bytes5 = _rt::Vec::from_raw_parts(l3.cast(), len5, len5);
                            let l6 = *arg0
                                .add(4 * ::core::mem::size_of::<*const u8>())
                                .cast::<*mut u8>();
                            let l7 = *arg0
                                .add(5 * ::core::mem::size_of::<*const u8>())
                                .cast::<usize>();
                            let len8 = l7;
                            let bytes8 = _rt::Vec::from_raw_parts(l6.cast(), len8, len8);
                            let l9 = *arg0
                                .add(6 * ::core::mem::size_of::<*const u8>())
                                .cast::<*mut u8>();
                            let l10 = *arg0
                                .add(7 * ::core::mem::size_of::<*const u8>())
                                .cast::<usize>();
                            let len11 = l10;
                            let bytes11 = _rt::Vec::from_raw_parts(
                                l9.cast(),
                                len11,
                                len11,
                            );
                            let l12 = i32::from(
                                *arg0
                                    .add(8 * ::core::mem::size_of::<*const u8>())
                                    .cast::<u8>(),
                            );
                            let l16 = *arg0
                                .add(8 + 10 * ::core::mem::size_of::<*const u8>())
                                .cast::<i64>();
                            let l17 = i32::from(
                                *arg0
                                    .add(16 + 10 * ::core::mem::size_of::<*const u8>())
                                    .cast::<u8>(),
                            );
                            let l21 = *arg0
                                .add(16 + 13 * ::core::mem::size_of::<*const u8>())
                                .cast::<*mut u8>();
                            let l22 = *arg0
                                .add(16 + 14 * ::core::mem::size_of::<*const u8>())
                                .cast::<usize>();
                            let base29 = l21;
                            let len29 = l22;
                            let mut result29 = _rt::Vec::with_capacity(len29);
                            for i in 0..len29 {
                                let base = base29
                                    .add(i * (4 * ::core::mem::size_of::<*const u8>()));
                                let e29 = {
                                    let l23 = *base.add(0).cast::<*mut u8>();
                                    let l24 = *base
                                        .add(::core::mem::size_of::<*const u8>())
                                        .cast::<usize>();
                                    let len25 = l24;
                                    let bytes25 = _rt::Vec::from_raw_parts(
                                        l23.cast(),
                                        len25,
                                        len25,
                                    );
                                    let l26 = *base
                                        .add(2 * ::core::mem::size_of::<*const u8>())
                                        .cast::<*mut u8>();
                                    let l27 = *base
                                        .add(3 * ::core::mem::size_of::<*const u8>())
                                        .cast::<usize>();
                                    let len28 = l27;
                                    let bytes28 = _rt::Vec::from_raw_parts(
                                        l26.cast(),
                                        len28,
                                        len28,
                                    );
                                    (_rt::string_lift(bytes25), _rt::string_lift(bytes28))
                                };
                                result29.push(e29);
                            }
                            _rt::cabi_dealloc(
                                base29,
                                len29 * (4 * ::core::mem::size_of::<*const u8>()),
                                ::core::mem::size_of::<*const u8>(),
                            );
                            let l30 = *arg0
                                .add(16 + 15 * ::core::mem::size_of::<*const u8>())
                                .cast::<*mut u8>();
                            let l31 = *arg0
                                .add(16 + 16 * ::core::mem::size_of::<*const u8>())
                                .cast::<usize>();
                            let base38 = l30;
                            let len38 = l31;
                            let mut result38 = _rt::Vec::with_capacity(len38);
                            for i in 0..len38 {
                                let base = base38
                                    .add(i * (4 * ::core::mem::size_of::<*const u8>()));
                                let e38 = {
                                    let l32 = *base.add(0).cast::<*mut u8>();
                                    let l33 = *base
                                        .add(::core::mem::size_of::<*const u8>())
                                        .cast::<usize>();
                                    let len34 = l33;
                                    let bytes34 = _rt::Vec::from_raw_parts(
                                        l32.cast(),
                                        len34,
                                        len34,
                                    );
                                    let l35 = *base
                                        .add(2 * ::core::mem::size_of::<*const u8>())
                                        .cast::<*mut u8>();
                                    let l36 = *base
                                        .add(3 * ::core::mem::size_of::<*const u8>())
                                        .cast::<usize>();
                                    let len37 = l36;
                                    let bytes37 = _rt::Vec::from_raw_parts(
                                        l35.cast(),
                                        len37,
                                        len37,
                                    );
                                    (_rt::string_lift(bytes34), _rt::string_lift(bytes37))
                                };
                                result38.push(e38);
                            }
                            _rt::cabi_dealloc(
                                base38,
                                len38 * (4 * ::core::mem::size_of::<*const u8>()),
                                ::core::mem::size_of::<*const u8>(),
                            );
                            let l39 = *arg0
                                .add(16 + 17 * ::core::mem::size_of::<*const u8>())
                                .cast::<*mut u8>();
                            let l40 = *arg0
                                .add(16 + 18 * ::core::mem::size_of::<*const u8>())
                                .cast::<usize>();
                            let len41 = l40;
                            let l42 = *arg0
                                .add(24 + 18 * ::core::mem::size_of::<*const u8>())
                                .cast::<*mut u8>();
                            let l43 = *arg0
                                .add(24 + 19 * ::core::mem::size_of::<*const u8>())
                                .cast::<usize>();
                            let len44 = l43;
                            let bytes44 = _rt::Vec::from_raw_parts(
                                l42.cast(),
                                len44,
                                len44,
                            );
                            T_::judge(
                                super::super::super::super::anglerfish::plugin::types::Event {
                                    subscription: _rt::string_lift(bytes2),
                                    id: _rt::string_lift(bytes5),
                                    source: _rt::string_lift(bytes8),
                                    type_: _rt::string_lift(bytes11),
                                    subject: match l12 {
                                        0 => None,
                                        1 => {
                                            let e = {
                                                let l13 = *arg0
                                                    .add(9 * ::core::mem::size_of::<*const u8>())
                                                    .cast::<*mut u8>();
                                                let l14 = *arg0
                                                    .add(10 * ::core::mem::size_of::<*const u8>())
                                                    .cast::<usize>();
                                                let len15 = l14;
                                                let bytes15 = _rt::Vec::from_raw_parts(
                                                    l13.cast(),
                                                    len15,
                                                    len15,
                                                );
                                                _rt::string_lift(bytes15)
                                            };
                                            Some(e)
                                        }
                                        _ => _rt::invalid_enum_discriminant(),
                                    },
                                    time: l16 as u64,
                                    datacontenttype: match l17 {
                                        0 => None,
                                        1 => {
                                            let e = {
                                                let l18 = *arg0
                                                    .add(16 + 11 * ::core::mem::size_of::<*const u8>())
                                                    .cast::<*mut u8>();
                                                let l19 = *arg0
                                                    .add(16 + 12 * ::core::mem::size_of::<*const u8>())
                                                    .cast::<usize>();
                                                let len20 = l19;
                                                let bytes20 = _rt::Vec::from_raw_parts(
                                                    l18.cast(),
                                                    len20,
                                                    len20,
                                                );
                                                _rt::string_lift(bytes20)
                                            };
                                            Some(e)
                                        }
                                        _ => _rt::invalid_enum_discriminant(),
                                    },
                                    extensions: result29,
                                    headers: result38,
                                    data: <_ as From<
                                        _rt::Vec<_>,
                                    >>::from(_rt::Vec::from_raw_parts(l39.cast(), len41, len41)),
                                },
                                _rt::string_lift(bytes44),
                            )
                        };
                        _rt::cabi_dealloc(
                            arg0,
                            24 + 20 * ::core::mem::size_of::<*const u8>(),
                            8,
                        );
                        let ptr46 = (&raw mut _RET_AREA.0).cast::<u8>();
                        match result45 {
                            Ok(e) => {
                                *ptr46.add(0).cast::<u8>() = (0i32) as u8;
                                use super::super::super::super::anglerfish::plugin::types::Verdict as V51;
                                match e {
                                    V51::Deliver => {
                                        *ptr46
                                            .add(::core::mem::size_of::<*const u8>())
                                            .cast::<u8>() = (0i32) as u8;
                                    }
                                    V51::Drop(e) => {
                                        *ptr46
                                            .add(::core::mem::size_of::<*const u8>())
                                            .cast::<u8>() = (1i32) as u8;
                                        let vec47 = (e.into_bytes()).into_boxed_slice();
                                        let ptr47 = vec47.as_ptr().cast::<u8>();
                                        let len47 = vec47.len();
                                        ::core::mem::forget(vec47);
                                        *ptr46
                                            .add(3 * ::core::mem::size_of::<*const u8>())
                                            .cast::<usize>() = len47;
                                        *ptr46
                                            .add(2 * ::core::mem::size_of::<*const u8>())
                                            .cast::<*mut u8>() = ptr47.cast_mut();
                                    }
                                    V51::Replace(e) => {
                                        *ptr46
                                            .add(::core::mem::size_of::<*const u8>())
                                            .cast::<u8>() = (2i32) as u8;
                                        let super::super::super::super::anglerfish::plugin::types::Body {
                                            datacontenttype: datacontenttype48,
                                            data: data48,
                                        } = e;
                                        match datacontenttype48 {
                                            Some(e) => {
                                                *ptr46
                                                    .add(2 * ::core::mem::size_of::<*const u8>())
                                                    .cast::<u8>() = (1i32) as u8;
                                                let vec49 = (e.into_bytes()).into_boxed_slice();
                                                let ptr49 = vec49.as_ptr().cast::<u8>();
                                                let len49 = vec49.len();
                                                ::core::mem::forget(vec49);
                                                *ptr46
                                                    .add(4 * ::core::mem::size_of::<*const u8>())
                                                    .cast::<usize>() = len49;
                                                *ptr46
                                                    .add(3 * ::core::mem::size_of::<*const u8>())
                                                    .cast::<*mut u8>() = ptr49.cast_mut();
                                            }
                                            None => {
                                                *ptr46
                                                    .add(2 * ::core::mem::size_of::<*const u8>())
                                                    .cast::<u8>() = (0i32) as u8;
                                            }
                                        };
                                        let vec50 = <_ as Into<_rt::Vec<_>>>::into(data48)
                                            .into_boxed_slice();
                                        let ptr50 = vec50.as_ptr().cast::<u8>();
                                        let len50 = vec50.len();
                                        ::core::mem::forget(vec50);
                                        *ptr46
                                            .add(6 * ::core::mem::size_of::<*const u8>())
                                            .cast::<usize>() = len50;
                                        *ptr46
                                            .add(5 * ::core::mem::size_of::<*const u8>())
                                            .cast::<*mut u8>() = ptr50.cast_mut();
                                    }
                                }
                            }
                            Err(e) => {
                                *ptr46.add(0).cast::<u8>() = (1i32) as u8;
                                let vec52 = (e.into_bytes()).into_boxed_slice();
                                let ptr52 = vec52.as_ptr().cast::<u8>();
                                let len52 = vec52.len();
                                ::core::mem::forget(vec52);
                                *ptr46
                                    .add(2 * ::core::mem::size_of::<*const u8>())
                                    .cast::<usize>() = len52;
                                *ptr46
                                    .add(::core::mem::size_of::<*const u8>())
                                    .cast::<*mut u8>() = ptr52.cast_mut();
                            }
                        };
                        ptr46
                    }
                }
                #[doc(hidden)]
                #[allow(non_snake_case)]
                pub unsafe fn __post_return_judge<T_: Guest>(arg0: *mut u8) {
                    unsafe {
                        let l0 = i32::from(*arg0.add(0).cast::<u8>());
                        match l0 {
                            0 => {
                                let l1 = i32::from(
                                    *arg0.add(::core::mem::size_of::<*const u8>()).cast::<u8>(),
                                );
                                match l1 {
                                    0 => {}
                                    1 => {
                                        let l2 = *arg0
                                            .add(2 * ::core::mem::size_of::<*const u8>())
                                            .cast::<*mut u8>();
                                        let l3 = *arg0
                                            .add(3 * ::core::mem::size_of::<*const u8>())
                                            .cast::<usize>();
                                        _rt::cabi_dealloc(l2, l3, 1);
                                    }
                                    _ => {
                                        let l4 = i32::from(
                                            *arg0
                                                .add(2 * ::core::mem::size_of::<*const u8>())
                                                .cast::<u8>(),
                                        );
                                        match l4 {
                                            0 => {}
                                            _ => {
                                                let l5 = *arg0
                                                    .add(3 * ::core::mem::size_of::<*const u8>())
                                                    .cast::<*mut u8>();
                                                let l6 = *arg0
                                                    .add(4 * ::core::mem::size_of::<*const u8>())
                                                    .cast::<usize>();
                                                _rt::cabi_dealloc(l5, l6, 1);
                                            }
                                        }
                                        let l7 = *arg0
                                            .add(5 * ::core::mem::size_of::<*const u8>())
                                            .cast::<*mut u8>();
                                        let l8 = *arg0
                                            .add(6 * ::core::mem::size_of::<*const u8>())
                                            .cast::<usize>();
                                        let base9 = l7;
                                        let len9 = l8;
                                        _rt::cabi_dealloc(base9, len9 * 1, 1);
                                    }
                                }
                            }
                            _ => {
                                let l10 = *arg0
                                    .add(::core::mem::size_of::<*const u8>())
                                    .cast::<*mut u8>();
                                let l11 = *arg0
                                    .add(2 * ::core::mem::size_of::<*const u8>())
                                    .cast::<usize>();
                                _rt::cabi_dealloc(l10, l11, 1);
                            }
                        }
                    }
                }
                pub trait Guest {
                    /// Says what is to become of an event. `config` is what the subscription says to the plugin, as JSON; `null` if it says
                    /// nothing. An error is a reason in words: the event is not delivered.
                    #[allow(async_fn_in_trait)]
                    fn judge(
                        event: Event,
                        config: _rt::String,
                    ) -> Result<Verdict, _rt::String>;
                }
                #[doc(hidden)]
                macro_rules! __export_anglerfish_plugin_filter_0_1_0_cabi {
                    ($ty:ident with_types_in $($path_to_types:tt)*) => {
                        const _ : () = { #[unsafe (export_name =
                        "anglerfish:plugin/filter@0.1.0#judge")] unsafe extern "C" fn
                        export_judge(arg0 : * mut u8,) -> * mut u8 { unsafe {
                        $($path_to_types)*:: _export_judge_cabi::<$ty > (arg0) } }
                        #[unsafe (export_name =
                        "cabi_post_anglerfish:plugin/filter@0.1.0#judge")] unsafe extern
                        "C" fn _post_return_judge(arg0 : * mut u8,) { unsafe {
                        $($path_to_types)*:: __post_return_judge::<$ty > (arg0) } } };
                    };
                }
                #[doc(hidden)]
                pub(crate) use __export_anglerfish_plugin_filter_0_1_0_cabi;
                #[cfg_attr(target_pointer_width = "64", repr(align(8)))]
                #[cfg_attr(target_pointer_width = "32", repr(align(4)))]
                struct _RetArea(
                    [::core::mem::MaybeUninit<
                        u8,
                    >; 7 * ::core::mem::size_of::<*const u8>()],
                );
                static mut _RET_AREA: _RetArea = _RetArea(
                    [::core::mem::MaybeUninit::uninit(); 7
                        * ::core::mem::size_of::<*const u8>()],
                );
            }
        }
    }
}
mod _rt {
    #![allow(dead_code, unused_imports, clippy::all)]
    pub use alloc_crate::vec::Vec;
    pub unsafe fn invalid_enum_discriminant<T>() -> T {
        if cfg!(debug_assertions) {
            panic!("invalid enum discriminant")
        } else {
            unsafe { core::hint::unreachable_unchecked() }
        }
    }
    pub use alloc_crate::string::String;
    pub unsafe fn string_lift(bytes: Vec<u8>) -> String {
        if cfg!(debug_assertions) {
            String::from_utf8(bytes).unwrap()
        } else {
            unsafe { String::from_utf8_unchecked(bytes) }
        }
    }
    #[cfg(target_arch = "wasm32")]
    pub fn run_ctors_once() {
        wit_bindgen::rt::run_ctors_once();
    }
    pub unsafe fn cabi_dealloc(ptr: *mut u8, size: usize, align: usize) {
        if size == 0 {
            return;
        }
        unsafe {
            let layout = alloc::Layout::from_size_align_unchecked(size, align);
            alloc::dealloc(ptr, layout);
        }
    }
    extern crate alloc as alloc_crate;
    pub use alloc_crate::alloc;
}
/// Generates `#[unsafe(no_mangle)]` functions to export the specified type as
/// the root implementation of all generated traits.
///
/// For more information see the documentation of `wit_bindgen::generate!`.
///
/// ```rust
/// # macro_rules! export{ ($($t:tt)*) => (); }
/// # trait Guest {}
/// struct MyType;
///
/// impl Guest for MyType {
///     // ...
/// }
///
/// export!(MyType);
/// ```
#[allow(unused_macros)]
#[doc(hidden)]
macro_rules! __export_plugin_impl {
    ($ty:ident) => {
        self::export!($ty with_types_in self);
    };
    ($ty:ident with_types_in $($path_to_types_root:tt)*) => {
        $($path_to_types_root)*::
        exports::anglerfish::plugin::filter::__export_anglerfish_plugin_filter_0_1_0_cabi!($ty
        with_types_in $($path_to_types_root)*:: exports::anglerfish::plugin::filter);
    };
}
#[doc(inline)]
pub(crate) use __export_plugin_impl as export;
#[cfg(target_arch = "wasm32")]
#[unsafe(
    link_section = "component-type:wit-bindgen:0.60.0:anglerfish:plugin@0.1.0:plugin:encoded world"
)]
#[doc(hidden)]
#[allow(clippy::octal_escapes)]
pub static __WIT_BINDGEN_COMPONENT_TYPE: [u8; 704] = *b"\
\0asm\x0d\0\x01\0\0\x19\x16wit-component-encoding\x04\0\x07\xc3\x04\x01A\x02\x01\
A\x0a\x01B\x09\x01p}\x01k\0\x01@\x01\x03keys\0\x01\x04\0\x03get\x01\x02\x01j\0\x01\
s\x01@\x02\x03keys\x05value\0\0\x03\x04\0\x03set\x01\x04\x01@\x01\x03keys\x01\0\x04\
\0\x06delete\x01\x05\x03\0\x1danglerfish:plugin/state@0.1.0\x05\0\x01B\x02\x01@\x01\
\x07messages\x01\0\x04\0\x05write\x01\0\x03\0\x1banglerfish:plugin/log@0.1.0\x05\
\x01\x01B\x0a\x01ks\x01o\x02ss\x01p\x01\x01p}\x01r\x0a\x0csubscriptions\x02ids\x06\
sources\x04types\x07subject\0\x04timew\x0fdatacontenttype\0\x0aextensions\x02\x07\
headers\x02\x04data\x03\x04\0\x05event\x03\0\x04\x01r\x02\x0fdatacontenttype\0\x04\
data\x03\x04\0\x04body\x03\0\x06\x01q\x03\x07deliver\0\0\x04drop\x01s\0\x07repla\
ce\x01\x07\0\x04\0\x07verdict\x03\0\x08\x03\0\x1danglerfish:plugin/types@0.1.0\x05\
\x02\x02\x03\0\x02\x05event\x02\x03\0\x02\x07verdict\x01B\x07\x02\x03\x02\x01\x03\
\x04\0\x05event\x03\0\0\x02\x03\x02\x01\x04\x04\0\x07verdict\x03\0\x02\x01j\x01\x03\
\x01s\x01@\x02\x05event\x01\x06configs\0\x04\x04\0\x05judge\x01\x05\x04\0\x1eang\
lerfish:plugin/filter@0.1.0\x05\x05\x04\0\x1eanglerfish:plugin/plugin@0.1.0\x04\0\
\x0b\x0c\x01\0\x06plugin\x03\0\0\0G\x09producers\x01\x0cprocessed-by\x02\x0dwit-\
component\x070.254.2\x10wit-bindgen-rust\x060.60.0";
#[inline(never)]
#[doc(hidden)]
pub fn __link_custom_section_describing_imports() {
    wit_bindgen::rt::maybe_link_cabi_realloc();
}
